"""Does a drawing show what it was drawn for? It is read back, and weighs nothing if it does not.

A drawing is read as the archive's label whose pictures it is nearest to. What it was drawn for is
read from the report's words in the same way, where the encoder reads text; else it is what three
quarters of the drawings agree on. There is no threshold: both readings are the nearest of the same
labels, whatever the encoder's scale (measured: docs/decisions/0010-a-gate-on-drawings.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from coin_retrieval.encoding.base import unit_rows
from coin_retrieval.types import Embeddings

NAME = "read-back/1"
"""Of the rule: another rule is another name, and answers of before are no replays of it."""

FURTHER = 8
"""So many further seeds at most are drawn in place of drawings that show something else."""

_LEAST_PICTURES = 3
_AGREEMENT = 0.75
_LEAST_AGREEING = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a drawing ``passed``; ``shows`` is what it looks like, ``wanted`` what it should.

    ``passed`` is ``None`` where there was nothing to judge by.
    """

    passed: bool | None
    shows: str
    wanted: str

    @property
    def counts(self) -> bool:
        """Whether the drawing takes part in the search."""
        return self.passed is not False


@dataclass(frozen=True, slots=True)
class Readable:
    """What drawings are read as: ``names`` [labels], ``rows`` float32 [labels dim] of norm 1."""

    names: tuple[str, ...]
    rows: Embeddings

    def read(self, rows: Embeddings) -> list[str]:
        """The label that each row [n dim] is nearest to."""
        return [self.names[place] for place in np.argmax(rows @ self.rows.T, axis=1)]


def readable(pictures: Mapping[str, Embeddings]) -> Readable | None:
    """Labels, each as the mean direction of its pictures [n dim]; ``None`` for fewer than two.

    Labels of fewer than three pictures are left out.
    """
    enough = {name: rows for name, rows in pictures.items() if len(rows) >= _LEAST_PICTURES}
    if len(enough) < 2:
        return None
    means = np.stack([rows.mean(axis=0) for rows in enough.values()])
    return Readable(tuple(enough), unit_rows(means))


def judge(drawn: Embeddings, known: Readable, text: Embeddings | None) -> list[Verdict]:
    """A verdict on each drawing, float32 [n dim]: does it show what is wanted?

    Args:
        text: the words that they were drawn from, float32 [1 dim]; ``None``: what three quarters of
            the drawings show is wanted, and where they do not agree nothing is judged.
    """
    shown = known.read(drawn)
    wanted = _most(shown) if text is None else known.read(text)[0]
    if wanted is None:
        return [Verdict(None, label, "") for label in shown]
    return [Verdict(label == wanted, label, wanted) for label in shown]


def _most(shown: Sequence[str]) -> str | None:
    ((label, count),) = Counter(shown).most_common(1)
    return label if count >= _LEAST_AGREEING and count >= _AGREEMENT * len(shown) else None
