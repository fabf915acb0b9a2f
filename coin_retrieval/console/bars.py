"""How far long work is, on stderr: bars at a terminal, a line now and then anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
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

    A line comes every five seconds at most, and one when a stage is done. Both tell the rate, the
    time that is left, and what work notes (:class:`.SupportsNotes`).
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
            TextColumn("{task.fields[note]}", markup=False),
        )
        with Progress(*columns, console=console) as bars:
            yield _Bars(bars)


class _Bars:
    """A bar for each stage; a stage that begins anew begins its bar anew."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._latest: TaskID | None = None

    def __call__(self, stage: str, done: int, of: int) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=of, note="")
        elif done == 0:
            self._bars.reset(self._tasks[stage])
        self._latest = self._tasks[stage]
        self._bars.update(self._latest, completed=done, total=of)

    def note(self, text: str) -> None:
        """Beside the bar of the present stage."""
        if self._latest is not None:
            self._bars.update(self._latest, note=text)


class _Lines:
    """``stage done/of, 12/s, 0:05:00 left`` on stderr."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._said = clock()
        self._stage = ""
        self._began = (self._said, 0)
        self._note = ""

    def __call__(self, stage: str, done: int, of: int) -> None:
        now = self._clock()
        if stage != self._stage or done == 0:
            self._stage, self._began, self._note = stage, (now, done), ""
        if done < of and now - self._said < _LINE_EVERY_S:
            return
        self._said = now
        parts = [f"{stage} {done}/{of}", *self._speed(now, done, of), self._note]
        sys.stderr.write(", ".join(filter(None, parts)) + "\n")
        sys.stderr.flush()

    def note(self, text: str) -> None:
        """At the end of the present stage's lines."""
        self._note = text

    def _speed(self, now: float, done: int, of: int) -> Iterator[str]:
        began, first = self._began
        if now - began < 1 or done == first:
            return
        speed = (done - first) / (now - began)
        yield f"{speed:.3g}/s"
        if done < of:
            yield f"{timedelta(seconds=round((of - done) / speed))} left"


class _RateColumn(ProgressColumn):
    """Steps a second, lately."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.3g}/s", style="cyan")
