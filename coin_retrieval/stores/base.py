"""The vector store's roles: which image ids are near, and writing what is then only read."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np

from coin_retrieval.errors import InputError
from coin_retrieval.files import Closing
from coin_retrieval.types import Embeddings, Hit, ImageId, ImageIds, Location, RowMask

Where = Mapping[str, Sequence[str]]
"""Field → allowed values, as a catalog has it."""

Terms = Mapping[str, str]
"""Field → value."""

SCANNED_ROWS = 131_072
"""Rows of a segment that is scanned: larger ones are not searched faster, and written at once."""

_TIE = 1e-6
"""Similarities this close are the same: summing in another order changes the last digits."""


class VectorStore(Closing):
    """Embeddings under stable ids, for reading. Similarity is cosine: the inner product of unit
    rows.

    Rows are numbered as they were written; those that were taken out since keep their numbers and
    are otherwise not there.
    """

    dim: int

    @property
    def exact(self) -> bool:
        """Whether unfiltered searches find exactly the nearest."""
        return True

    @property
    def kind(self) -> str:
        """What the index is, for people, with the numbers that decide its recall."""
        return "exact"

    @property
    def target_recall(self) -> float:
        """The recall@10 that an approximate index is to be searched widely enough for."""
        return 0.98

    @property
    def library(self) -> str:
        """What searches, with its version; empty where that is nobody's concern."""
        return ""

    def is_exact(self, allowed: ImageIds | RowMask | None) -> bool:
        """Whether a search with this filter finds exactly the nearest."""
        return self.exact

    def search(
        self,
        queries: Embeddings,
        k: int,
        *,
        allowed: ImageIds | RowMask | None = None,
        where: Where | None = None,
        width: float | None = None,
    ) -> list[list[Hit]]:
        """The ``k`` nearest ids of each query, best first; fewer only where fewer are allowed.

        Args:
            queries: float32 [n dim], rows of L2 norm 1.
            k: at least 1.
            allowed: only these may be found: ids, or a boolean for every row as a catalog's
                ``mask`` gives it; ``None`` allows all.
            where: the filter that ``allowed`` answers, for stores that know what rows are found by.
            width: how many times as widely as it is set an approximate index is searched this time;
                infinity compares every row.

        Raises:
            InputError: shapes that do not fit, ``k`` below 1, or ``width`` not above 0.
        """
        check_rows(queries, self.dim)
        if k < 1:
            raise InputError("k out of range", value=k, expected="at least 1")
        if width is not None and not width > 0:
            raise InputError("width out of range", value=width, expected="above 0")
        mask = None if allowed is None else self._mask(allowed)
        count = len(self) if mask is None else int(np.count_nonzero(mask))
        if not count:
            return [[] for _ in queries]
        rows, k = np.ascontiguousarray(queries), min(k, count)
        if width is None:
            return self._search_where(rows, k, mask, where)
        return self._search_wider(rows, k, mask, width)

    def recall(
        self, queries: Embeddings, *, k: int = 10, truth: Sequence[list[Hit]] | None = None
    ) -> float:
        """Measured: the share of the ``k`` truly nearest rows that :meth:`search` finds.

        Args:
            truth: what :meth:`nearest` finds, if that is known.

        Raises:
            InputError: shapes that do not fit, no queries, or an empty store.
        """
        if not len(queries) or not len(self):
            raise InputError(
                "recall needs queries and rows",
                value=f"{len(queries)} queries, {len(self)} rows",
                expected="at least one of each",
            )
        # told how widely, it asks the index, even where something else would find more
        found = self.search(queries, k, width=1.0)
        if truth is None:
            truth = self.nearest(queries, min(k, len(self)))
        shares = [
            # by similarity, not by id: of rows that are equally near, any will do
            sum(hit.similarity >= best[-1].similarity - _TIE for hit in hits) / len(best)
            for hits, best in zip(found, truth, strict=True)
        ]
        return float(np.mean(shares))

    def _mask(self, allowed: ImageIds | RowMask) -> RowMask:
        if allowed.dtype == np.bool_:
            if allowed.shape != (self.row_count,):
                raise InputError(
                    "the filter does not fit the store",
                    value=f"{allowed.shape} rows",
                    expected=f"({self.row_count},)",
                )
            return allowed.view(np.bool_)
        mask = np.zeros(self.row_count, np.bool_)
        rows = self.rows(np.ascontiguousarray(allowed, np.int64))
        mask[rows[rows >= 0]] = True
        return mask

    def __len__(self) -> int:
        """How many rows can be found."""
        return len(self.ids())

    @property
    @abstractmethod
    def row_count(self) -> int:
        """How many rows were written, those taken out since among them."""

    @abstractmethod
    def ids(self) -> ImageIds:
        """The ids that can be found, int64 [n], in the order of their rows."""

    @abstractmethod
    def rows(self, ids: ImageIds) -> np.ndarray:
        """The row of each id, int64 [n]; -1 where there is none."""

    @abstractmethod
    def vectors(self, ids: ImageIds) -> Embeddings:
        """The stored rows of these ids, float32 [n dim], in their order.

        Raises:
            NotFoundError: an id is not there.
        """

    @abstractmethod
    def nearest(self, queries: Embeddings, k: int) -> list[list[Hit]]:
        """What an exact search finds."""

    def widen(self, times: float) -> None:
        """Search so many times as widely as the settings say, if it approximates."""

    def close(self) -> None:
        """Release files and connections."""

    def _search_where(
        self, queries: Embeddings, k: int, mask: RowMask | None, where: Where | None
    ) -> list[list[Hit]]:
        return self._search(queries, k, mask)

    @abstractmethod
    def _search(self, queries: Embeddings, k: int, mask: RowMask | None) -> list[list[Hit]]: ...

    def _search_wider(
        self, queries: Embeddings, k: int, mask: RowMask | None, width: float
    ) -> list[list[Hit]]:
        """Stores that approximate do otherwise."""
        return self._search(queries, k, mask)


class StoreWriter(ABC):
    """Rows on their way into files or onto a server, where a :class:`VectorStore` reads them."""

    dim: int

    @property
    def most_rows(self) -> int:
        """How many rows an archive's segment of this kind may have, however many there are."""
        return SCANNED_ROWS

    def add(self, ids: ImageIds, embeddings: Embeddings, terms: Sequence[Terms] = ()) -> None:
        """Append rows: int64 [n], float32 [n dim] of L2 norm 1. No id may come twice.

        Args:
            terms: field → value of all that each row can be found by, for stores that filter.

        Raises:
            InputError: shapes that do not fit, or an id given twice.
        """
        check_rows(embeddings, self.dim)
        if ids.shape != (len(embeddings),) or len(np.unique(ids)) != len(ids):
            raise InputError(
                "ids do not fit the embeddings",
                value=f"{ids.shape} ids, {len(np.unique(ids))} distinct, {len(embeddings)} rows",
                expected="one distinct id a row",
            )
        if len(ids):
            rows = np.ascontiguousarray(ids, np.int64), np.ascontiguousarray(embeddings)
            self._add_described(*rows, terms)

    @abstractmethod
    def seal(self) -> Location:
        """Keep everything for ever; says where. Nothing can be added any more.

        Raises:
            InputError: an id came twice.
        """

    @abstractmethod
    def close(self) -> None:
        """Let go of what is being written; without :meth:`seal` it is nothing."""

    def _add_described(self, ids: ImageIds, embeddings: Embeddings, terms: Sequence[Terms]) -> None:
        self._add(ids, embeddings)

    @abstractmethod
    def _add(self, ids: ImageIds, embeddings: Embeddings) -> None: ...


def check_rows(rows: Embeddings, dim: int) -> None:
    """Refuse what is not float32 [n dim].

    Raises:
        InputError: another type or shape.
    """
    if rows.ndim != 2 or rows.shape[1] != dim or rows.dtype != np.float32:
        raise InputError(
            "embeddings do not fit the store",
            value=f"{rows.dtype} {rows.shape}",
            expected=f"float32 [n {dim}]",
        )


def to_hits(ids: ImageIds, similarities: np.ndarray) -> list[Hit]:
    """Parallel arrays of one query to hits; ids below 0 (padding) are left out."""
    near = np.minimum(np.maximum(similarities, -1.0), 1.0).tolist()
    return [Hit(ImageId(i), s) for i, s in zip(ids.tolist(), near, strict=True) if i >= 0]
