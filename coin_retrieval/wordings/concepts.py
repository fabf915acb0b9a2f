"""What a report can state and a generator can draw: the closed vocabulary between the two.

Training reports are composed from labels and attributes, so these say all that such a report says
of its picture. Reading (text → concepts) and drawing (concepts → picture) are therefore learned
apart: the reader sees thousands of wordings, which cost nothing, and the generator's few hours
are spent on pictures alone (docs/decisions/0007-concepts.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.wordings.captions import Statements, load_lexicon, statements_of

_ALIGNMENT = 32


class Concepts(BaseModel):
    """Groups of exclusive values, in order: ``finding`` → its values, ``stain`` → its values, …

    A vector has one entry a value, groups side by side, and ends in zeros up to :attr:`dim`; all
    zeros in a group mean that nothing is stated.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    groups: Mapping[str, tuple[str, ...]]

    @property
    def dim(self) -> int:
        """Entries of a vector: a multiple of 32, for attention heads divide it."""
        used = sum(len(values) for values in self.groups.values())
        return -(-used // _ALIGNMENT) * _ALIGNMENT

    def entries(self) -> dict[tuple[str, str], int]:
        """Where in a vector each (group, value) stands."""
        named = [(group, value) for group, values in self.groups.items() for value in values]
        return {name: entry for entry, name in enumerate(named)}

    def indices(self, stated: Statements) -> NDArray[np.int64]:
        """Each group's stated value by its number, -1 where it states none: int64 [groups]."""
        return np.array(
            [
                values.index(stated[group]) if stated.get(group) in values else -1
                for group, values in self.groups.items()
            ],
            np.int64,
        )

    def vectors(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Rows of indices [n groups] as vectors, float32 [n dim]."""
        vectors = np.zeros((len(indices), self.dim), np.float32)
        start = 0
        for column, values in zip(indices.T, self.groups.values(), strict=True):
            stated = np.flatnonzero(column >= 0)
            vectors[stated, start + column[stated]] = 1.0
            start += len(values)
        return vectors


def concepts_of(rows: Iterable[CaseRow]) -> Concepts:
    """The concepts of a training set: what its rows say, as far as the lexicon has words for it."""
    seen: dict[str, set[str]] = {}
    for row in rows:
        for group, value in statements_of(row).items():
            seen.setdefault(group, set()).add(value)
    order = ("finding", "site", "specimen", "stain", *load_lexicon().attributes)
    return Concepts(groups={group: tuple(sorted(seen[group])) for group in order if group in seen})
