"""How far long work is: one role for searching, drawing, building, training and evaluating."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol, TypeVar, runtime_checkable

T = TypeVar("T")


class Progress(Protocol):
    """Told of every step of long work, in the thread that does it; it should return at once.

    Called with 0 of ``of`` when a stage begins, and with ``of`` of ``of`` when it is done.
    """

    def __call__(self, stage: str, done: int, of: int) -> None:
        """``done`` of ``of`` steps of ``stage`` lie behind; stages follow each other."""
        ...


@runtime_checkable
class SupportsNotes(Protocol):
    """A listener that shows a word beside how far it is."""

    def note(self, text: str) -> None:
        """Show this from now on: "12 skipped"."""
        ...


def silent(stage: str, done: int, of: int) -> None:
    """Nobody listens."""


def counted(items: Sequence[T], stage: str, on: Progress) -> Iterator[T]:
    """The items one after another; ``on`` hears of the beginning and of each that is done with."""
    on(stage, 0, len(items))
    for number, item in enumerate(items, start=1):
        yield item
        on(stage, number, len(items))
