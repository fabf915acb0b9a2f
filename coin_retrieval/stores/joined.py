"""Several stores as one: the segments of an archive."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from coin_retrieval.errors import NotFoundError
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.types import Embeddings, Hit, ImageIds, RowMask


class JoinedStore(VectorStore):
    """Stores of one space, one after another: their rows are numbered on.

    No id is in two of them.
    """

    def __init__(self, stores: Sequence[VectorStore], *, dim: int) -> None:
        self.dim = dim
        self._stores = tuple(stores)
        ends = np.cumsum([0, *(store.row_count for store in self._stores)]).tolist()
        self._spans = tuple(pairwise(ends))

    @property
    def exact(self) -> bool:
        """Whether all are."""
        return all(store.exact for store in self._stores)

    def is_exact(self, allowed: ImageIds | RowMask | None) -> bool:
        """Whether all are for this filter."""
        if allowed is None or self.exact:
            return self.exact
        mask = self._mask(allowed)
        return all(
            store.is_exact(mask[a:b])
            for store, (a, b) in zip(self._stores, self._spans, strict=True)
        )

    @property
    def kind(self) -> str:
        """The kinds that there are, that of the largest part first."""
        ordered = sorted(self._stores, key=len, reverse=True)
        return " + ".join(dict.fromkeys(store.kind for store in ordered)) or "flat"

    @property
    def target_recall(self) -> float:
        """The highest, of those that approximate."""
        return max((s.target_recall for s in self._stores if not s.exact), default=1.0)

    @property
    def library(self) -> str:
        """Those that made the indexes."""
        return ", ".join(dict.fromkeys(filter(None, (store.library for store in self._stores))))

    def __len__(self) -> int:
        return sum(len(store) for store in self._stores)

    @property
    def row_count(self) -> int:
        """How many rows were written."""
        return self._spans[-1][1] if self._spans else 0

    def ids(self) -> ImageIds:
        """All ids that can be found, int64 [n], in the order of their rows."""
        return np.concatenate([np.empty(0, np.int64), *(store.ids() for store in self._stores)])

    def rows(self, ids: ImageIds) -> np.ndarray:
        """The row of each id, int64 [n]; -1 where there is none."""
        rows = np.full(len(ids), -1, np.int64)
        for store, (start, _) in zip(self._stores, self._spans, strict=True):
            found = store.rows(ids)
            rows = np.where(found >= 0, found + start, rows)
        return rows

    def vectors(self, ids: ImageIds) -> Embeddings:
        """The stored rows of these ids, float32 [n dim], in their order.

        Raises:
            NotFoundError: an id is not there.
        """
        wanted = np.ascontiguousarray(ids, np.int64)
        rows = np.empty((len(wanted), self.dim), np.float32)
        missing = np.ones(len(wanted), np.bool_)
        for store in self._stores:
            here = missing & (store.rows(wanted) >= 0) if missing.any() else missing
            if here.any():
                rows[here] = store.vectors(wanted[here])
                missing &= ~here
        if missing.any():
            raise NotFoundError(
                "no such id in the store",
                value=wanted[missing][:5].tolist(),
                expected=f"ids among the {len(self)} stored",
            )
        return rows

    def nearest(self, queries: Embeddings, k: int) -> list[list[Hit]]:
        """What exact searches of all find."""
        return _merged([s.nearest(queries, min(k, len(s))) for s in self._stores if len(s)], k)

    def widen(self, times: float) -> None:
        """Widen all."""
        for store in self._stores:
            store.widen(times)

    def close(self) -> None:
        """Close all."""
        for store in self._stores:
            store.close()

    def _search(self, queries: Embeddings, k: int, mask: RowMask | None) -> list[list[Hit]]:
        return self._search_all(queries, k, mask, None)

    def _search_wider(
        self, queries: Embeddings, k: int, mask: RowMask | None, width: float
    ) -> list[list[Hit]]:
        return self._search_all(queries, k, mask, width)

    def _search_all(
        self, queries: Embeddings, k: int, mask: RowMask | None, width: float | None
    ) -> list[list[Hit]]:
        found = [
            store.search(queries, k, allowed=None if mask is None else mask[a:b], width=width)
            for store, (a, b) in zip(self._stores, self._spans, strict=True)
        ]
        return _merged(found, k)


def _merged(found: Sequence[list[list[Hit]]], k: int) -> list[list[Hit]]:
    """The best ``k`` of each query, of lists that are each best first."""
    return [
        list(heapq.merge(*of_query, key=lambda hit: -hit.similarity))[:k]
        for of_query in zip(*found, strict=True)
    ]
