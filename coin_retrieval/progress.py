"""How far long work is: one role for searching, drawing, building, training and evaluating."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told of every step of long work, in the thread that does it; it should return at once.

    Called with 0 of ``of`` when a stage begins, and with ``of`` of ``of`` when it is done.
    """

    def __call__(self, stage: str, done: int, of: int) -> None:
        """``done`` of ``of`` steps of ``stage`` lie behind; stages follow each other."""
        ...


def silent(stage: str, done: int, of: int) -> None:
    """Nobody listens."""
