"""How far long work is, on stderr: bars at a terminal, a line now and then anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from coin_retrieval import progress

_LINE_EVERY_S = 5.0


@contextmanager
def showing(*, quiet: bool = False) -> Iterator[progress.Progress]:
    """A listener for long work: a bar a stage at a terminal, else plain lines; nothing if quiet.

    A line comes every five seconds at most, and one when a stage is done.
    """
    console = Console(stderr=True)
    if quiet:
        yield progress.silent
    elif not console.is_terminal:
        yield _Lines()
    else:
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            _RateColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console) as bars:
            yield _Bars(bars)


class _Bars:
    """A bar for each stage; a stage that begins anew begins its bar anew."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done: int, of: int) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=of)
        elif done == 0:
            self._bars.reset(self._tasks[stage])
        self._bars.update(self._tasks[stage], completed=done, total=of)


class _Lines:
    """``stage done/of`` on stderr."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._said = clock()

    def __call__(self, stage: str, done: int, of: int) -> None:
        if done < of and self._clock() - self._said < _LINE_EVERY_S:
            return
        self._said = self._clock()
        sys.stderr.write(f"{stage} {done}/{of}\n")
        sys.stderr.flush()


class _RateColumn(ProgressColumn):
    """Steps a second, lately."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.3g}/s", style="cyan")
