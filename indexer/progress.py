"""How far a build is, for people at a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text


class _RateColumn(ProgressColumn):
    """Pictures a second, lately."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text("" if speed is None else f"{speed:.0f}/s", style="cyan")


@contextmanager
def showing_progress(total: int, *, quiet: bool) -> Iterator[Callable[[], None]]:
    """A bar with rate and time left on stderr; nothing if ``quiet`` or not at a terminal.

    Gives what to call once a picture.
    """
    console = Console(stderr=True)
    bar = Progress(
        TextColumn("indexing"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=quiet or not console.is_terminal,
    )
    with bar:
        task = bar.add_task("indexing", total=total)
        yield lambda: bar.advance(task)
