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
        places = [np.arange(a, b) for a, b in zip(first.tolist(), last.tolist(), strict=True)]
        none = np.empty(0, np.int64)
        return np.asarray(self.order[np.concatenate([none, *places])])


def order_of(ids: ImageIds) -> np.ndarray:
    """Rows by ascending number, int64 [n]."""
    return np.argsort(ids, kind="stable")
