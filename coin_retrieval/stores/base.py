"""The vector store's role: which image ids are near?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Self

import numpy as np

from coin_retrieval.errors import InputError
from coin_retrieval.types import Embeddings, Hit, ImageId, ImageIds, Location

_TIE = 1e-6
"""Similarities this close are the same: summing in another order changes the last digits."""


class VectorStore(ABC):
    """Embeddings under stable ids. Similarity is cosine: the inner product of unit rows."""

    dim: int

    @classmethod
    @abstractmethod
    def create(cls, settings: Any, *, dim: int) -> Self:
        """An empty store of ``dim``-wide rows, as its own settings say."""

    @classmethod
    @abstractmethod
    def open(cls, settings: Any, folder: Path, location: Location, *, dim: int) -> Self:
        """What :meth:`seal` left in ``folder`` or on a server; searched as the settings say now.

        Raises:
            ArchiveCorruptError: not such a store, or one of another width.
        """

    @property
    def exact(self) -> bool:
        """Whether unfiltered searches find exactly the nearest; filtered ones always do."""
        return True

    @property
    def kind(self) -> str:
        """What the index is, for people, with the numbers that decide its recall."""
        return "exact"

    def add(self, ids: ImageIds, embeddings: Embeddings) -> None:
        """Add rows: int64 [n], float32 [n dim] of L2 norm 1. An id that is present is replaced.

        Raises:
            InputError: shapes that do not fit, or an id given twice.
        """
        self._check_rows(embeddings)
        if ids.shape != (len(embeddings),) or len(np.unique(ids)) != len(ids):
            raise InputError(
                "ids do not fit the embeddings",
                value=f"{ids.shape} ids, {len(np.unique(ids))} distinct, {len(embeddings)} rows",
                expected="one distinct id a row",
            )
        if len(ids):
            self._remove(ids)
            self._add(np.ascontiguousarray(ids, np.int64), np.ascontiguousarray(embeddings))

    def remove(self, ids: ImageIds) -> int:
        """Remove rows; returns how many were there."""
        return self._remove(np.ascontiguousarray(ids, np.int64)) if len(ids) else 0

    def search(
        self, queries: Embeddings, k: int, *, allowed: ImageIds | None = None
    ) -> list[list[Hit]]:
        """The ``k`` nearest ids of each query, best first; fewer where fewer are allowed.

        Args:
            queries: float32 [n dim], rows of L2 norm 1.
            k: at least 1.
            allowed: only these ids may be found; ``None`` allows all, an empty array none.

        Raises:
            InputError: shapes that do not fit, or ``k`` below 1.
        """
        self._check_rows(queries)
        if k < 1:
            raise InputError("k out of range", value=k, expected="at least 1")
        if not len(self) or (allowed is not None and not len(allowed)):
            return [[] for _ in queries]
        return self._search(np.ascontiguousarray(queries), min(k, len(self)), allowed)

    def recall(self, queries: Embeddings, *, k: int = 10) -> float:
        """Measured: the share of the ``k`` truly nearest rows that :meth:`search` finds.

        Raises:
            InputError: shapes that do not fit, no queries, or an empty store.
        """
        if not len(queries) or not len(self):
            raise InputError(
                "recall needs queries and rows",
                value=f"{len(queries)} queries, {len(self)} rows",
                expected="at least one of each",
            )
        found = self.search(queries, k)
        # through a filter that lets everything pass, because filtered searches are exact
        truth = self.search(queries, k, allowed=self.ids())
        shares = [
            # by similarity, not by id: of rows that are equally near, any will do
            sum(hit.similarity >= best[-1].similarity - _TIE for hit in hits) / len(best)
            for hits, best in zip(found, truth, strict=True)
        ]
        return float(np.mean(shares))

    def _check_rows(self, rows: Embeddings) -> None:
        if rows.ndim != 2 or rows.shape[1] != self.dim or rows.dtype != np.float32:
            raise InputError(
                "embeddings do not fit the store",
                value=f"{rows.dtype} {rows.shape}",
                expected=f"float32 [n {self.dim}]",
            )

    @abstractmethod
    def __len__(self) -> int:
        """How many rows it holds."""

    @abstractmethod
    def ids(self) -> ImageIds:
        """All ids, int64 [n], in no particular order."""

    @abstractmethod
    def vectors(self, ids: ImageIds) -> Embeddings:
        """The stored rows of these ids, float32 [n dim], in their order.

        Raises:
            NotFoundError: an id is not there.
        """

    @abstractmethod
    def seal(self, folder: Path) -> Location:
        """Keep everything as it is now, in files of ``folder`` or on a server; says where."""

    def close(self) -> None:  # noqa: B027  most have nothing to release
        """Release files and connections."""

    @abstractmethod
    def _add(self, ids: ImageIds, embeddings: Embeddings) -> None: ...

    @abstractmethod
    def _remove(self, ids: ImageIds) -> int: ...

    @abstractmethod
    def _search(self, queries: Embeddings, k: int, allowed: ImageIds | None) -> list[list[Hit]]: ...


def to_hits(ids: ImageIds, similarities: np.ndarray) -> list[Hit]:
    """Parallel arrays of one query to hits; ids below 0 (padding) are left out."""
    return [
        Hit(ImageId(int(i)), float(np.clip(s, -1.0, 1.0)))
        for i, s in zip(ids, similarities, strict=True)
        if i >= 0
    ]
