"""Which number stands in which row: looked up by bisection, in an order kept beside them."""

from __future__ import annotations

import numpy as np

from coin_retrieval.types import ImageIds


class RowIds:
    """Numbers int64 [n] by row, and the rows ordered by them.

    Args:
        ids: the number of each row; they may repeat.
        order: rows by ascending number, as :func:`order_of` gives it; ``None`` computes it.
    """

    def __init__(self, ids: ImageIds, order: np.ndarray | None = None) -> None:
        self.ids = ids
        self.order = order_of(ids) if order is None else order

    def __len__(self) -> int:
        return len(self.ids)

    def rows(self, wanted: ImageIds) -> np.ndarray:
        """A row of each number, int64 [n]; -1 where there is none."""
        if not len(self.ids) or not len(wanted):
            return np.full(len(wanted), -1, np.int64)
        places = np.searchsorted(self.ids, wanted, sorter=self.order).clip(max=len(self.ids) - 1)
        rows = np.asarray(self.order[places])
        return np.where(self.ids[rows] == wanted, rows, -1)

    def all_rows(self, wanted: ImageIds) -> np.ndarray:
        """Every row that has one of these numbers, int64 [m]."""
        first = np.searchsorted(self.ids, wanted, sorter=self.order, side="left")
        last = np.searchsorted(self.ids, wanted, sorter=self.order, side="right")
        counts = last - first
        # where each number's rows begin, and which of them
        begins = np.repeat(first - np.cumsum(counts) + counts, counts)
        return np.asarray(self.order[begins + np.arange(counts.sum())])


class GrowingRowIds:
    """Numbers by row that are still being added to: sixteen bytes each, however many.

    They lie in sorted parts, each larger than the next, so that there are never more parts than
    their count has binary digits (Bentley and Saxe 1980).
    """

    def __init__(self) -> None:
        self._parts: list[tuple[int, RowIds]] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    @property
    def ids(self) -> ImageIds:
        """The number of each row, int64 [n]."""
        return np.concatenate([np.empty(0, np.int64), *(part.ids for _, part in self._parts)])

    def add(self, numbers: ImageIds) -> None:
        """Rows after those that are there, int64 [n]."""
        start, self._count = self._count, self._count + len(numbers)
        while self._parts and len(self._parts[-1][1]) <= len(numbers):
            start, before = self._parts.pop()
            numbers = np.concatenate([before.ids, numbers])
        if len(numbers):
            self._parts.append((start, RowIds(numbers)))

    def all_rows(self, wanted: ImageIds) -> np.ndarray:
        """Every row that has one of these numbers, int64 [m]."""
        found = [start + part.all_rows(wanted) for start, part in self._parts]
        return np.concatenate([np.empty(0, np.int64), *found])


def order_of(ids: ImageIds) -> np.ndarray:
    """Rows by ascending number, int64 [n]."""
    return np.argsort(ids, kind="stable")
