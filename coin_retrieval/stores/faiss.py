"""Vectors by row in FAISS's own formats, mapped into memory; ids beside them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np

from coin_retrieval.config import FaissStoreSettings, HnswIndex, IvfIndex
from coin_retrieval.errors import ArchiveCorruptError, NotFoundError
from coin_retrieval.row_ids import RowIds
from coin_retrieval.stores.base import VectorStore, to_hits
from coin_retrieval.stores.faiss_files import (
    IDS,
    INDEX,
    VECTORS,
    open_earlier,
    open_ids,
    open_index,
    open_vectors,
)
from coin_retrieval.stores.faiss_module import faiss
from coin_retrieval.types import Embeddings, Hit, ImageIds, Location, RowMask

_PROBED_SHARE = 1 / 16
_PROPOSED = 4
"""How many times as many rows as are asked for an approximate index proposes."""

_SCANNED_SHARE = 0.1
"""Filters that let fewer rows pass are exact scans: an index would walk past most of its rows."""


class FaissStore(VectorStore):
    """Inner product over unit rows: a scan, or an index (``ivf``, ``hnsw``) that proposes rows.

    What an index proposes is ranked by the rows themselves. Where a filter leaves few rows, or the
    index finds fewer than there are, the rows are scanned.
    """

    def __init__(
        self,
        settings: FaissStoreSettings,
        vectors: Any,
        row_ids: RowIds,
        index: Any | None = None,
        alive: RowMask | None = None,
    ) -> None:
        self.dim = int(vectors.d)
        self._settings = settings.index
        self._flat = vectors
        self._row_ids = row_ids
        self._index = index
        self._alive = alive
        self._width = 1.0
        self._alive_count = len(row_ids) if alive is None else int(np.count_nonzero(alive))
        count = len(row_ids) * self.dim
        self._vectors: Embeddings = (
            faiss.rev_swig_ptr(vectors.get_xb(), count).reshape(-1, self.dim)
            if count
            else np.empty((0, self.dim), np.float32)
        )

    @classmethod
    def open(
        cls,
        settings: FaissStoreSettings,
        folder: Path,
        location: Location,
        *,
        dim: int,
        alive: RowMask | None = None,
    ) -> Self:
        """What :class:`FaissStoreWriter` sealed; how widely it searches is what the settings say.

        Args:
            alive: which rows are there; ``None`` for all.

        Raises:
            ArchiveCorruptError: not such files, or of another width.
        """
        if location.files == (VECTORS,):
            vectors, row_ids, index = open_earlier(folder / VECTORS, dim=dim)
            return cls(settings, vectors, row_ids, index, alive)
        if not {VECTORS, IDS} <= set(location.files):
            raise ArchiveCorruptError(
                "the archive names no vectors",
                value=location.files,
                expected=f"{VECTORS}, {IDS}",
                remedy="build the archive again",
            )
        row_ids = open_ids(folder / IDS)
        vectors = open_vectors(folder / VECTORS, count=len(row_ids), dim=dim)
        index = None
        if INDEX in location.files:
            index = open_index(folder / INDEX, count=len(row_ids), dim=dim)
        return cls(settings, vectors, row_ids, index, alive)

    @property
    def exact(self) -> bool:
        """Whether unfiltered searches are exact too."""
        return self._index is None

    def is_exact(self, allowed: ImageIds | RowMask | None) -> bool:
        """Few rows are scanned."""
        if self.exact or allowed is None:
            return self.exact
        return self._scanned(int(np.count_nonzero(self._mask(allowed))))

    @property
    def kind(self) -> str:
        """What the index is, with the numbers that decide its recall."""
        if self._index is None:
            return "flat"
        if isinstance(self._index, faiss.IndexIVF):
            return f"ivf ({self._index.nlist} lists, {self._probes()} probed)"
        return f"hnsw ({self._index.hnsw.nb_neighbors(1)} links, ef {self._ef()})"

    def __len__(self) -> int:
        return self._alive_count

    @property
    def row_count(self) -> int:
        """How many rows were written."""
        return len(self._row_ids)

    def ids(self) -> ImageIds:
        """All ids that can be found, int64 [n], in the order of their rows."""
        ids = np.asarray(self._row_ids.ids)
        return ids.copy() if self._alive is None else ids[self._alive]

    def rows(self, ids: ImageIds) -> np.ndarray:
        """The row of each id, int64 [n]; -1 where there is none."""
        rows = self._row_ids.rows(ids)
        if self._alive is not None and self.row_count:
            rows = np.where((rows >= 0) & self._alive[rows], rows, -1)
        return rows

    def vectors(self, ids: ImageIds) -> Embeddings:
        """The stored rows of these ids, float32 [n dim], in their order.

        Raises:
            NotFoundError: an id is not there.
        """
        wanted = np.ascontiguousarray(ids, np.int64)
        rows = self.rows(wanted)
        if np.any(rows < 0):
            raise NotFoundError(
                "no such id in the store",
                value=wanted[rows < 0][:5].tolist(),
                expected=f"ids among the {len(self)} stored",
            )
        return np.ascontiguousarray(self._vectors[rows])

    def nearest(self, queries: Embeddings, k: int) -> list[list[Hit]]:
        """What a scan of all rows finds."""
        return self._hits(*self._scan(queries, k, self._alive))

    def widen(self, times: float) -> None:
        """Look into so many times as many lists, or keep so many times as many candidates."""
        self._width = times

    def _search(self, queries: Embeddings, k: int, mask: RowMask | None) -> list[list[Hit]]:
        if mask is None:
            mask = self._alive
        elif self._alive is not None:
            mask = mask & self._alive
        count = self.row_count if mask is None else int(np.count_nonzero(mask))
        if not count:
            return [[] for _ in queries]
        k = min(k, count)
        if self.exact or (mask is not None and self._scanned(count)):
            return self._hits(*self._scan(queries, k, mask))
        # what the filter refuses takes up room in the walk
        wider = self.row_count / count
        rows = self._propose(queries, min(_PROPOSED * k, count), mask, wider)
        if np.any(np.count_nonzero(rows >= 0, axis=1) < k):
            return self._hits(*self._scan(queries, k, mask))
        return self._hits(*self._rank(queries, rows, k))

    def _scanned(self, count: int) -> bool:
        return count <= _SCANNED_SHARE * self.row_count

    def _scan(
        self, queries: Embeddings, k: int, mask: RowMask | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Exact: similarities and rows [n k]; -1 where there are no more."""
        # named first: FAISS keeps no reference of its own to the selector
        selector = _selector(mask)
        found: tuple[np.ndarray, np.ndarray] = self._flat.search(
            queries, k, params=faiss.SearchParameters(sel=selector)
        )
        return found

    def _propose(
        self, queries: Embeddings, count: int, mask: RowMask | None, wider: float
    ) -> np.ndarray:
        """Rows that the index thinks near, [n count]; -1 where it knows no more."""
        selector = _selector(mask)
        if isinstance(self._index, faiss.IndexIVF):
            parameters = faiss.SearchParametersIVF(nprobe=self._probes(wider), sel=selector)
        else:
            ef = round(max(self._ef(), count) * wider)
            parameters = faiss.SearchParametersHNSW(efSearch=ef, sel=selector)
        assert self._index is not None  # noqa: S101
        return np.asarray(self._index.search(queries, count, params=parameters)[1])

    def _rank(self, queries: Embeddings, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The ``k`` best of the proposed rows, by the rows themselves."""
        similarities = np.einsum("qd,qrd->qr", queries, self._vectors[rows])
        similarities[rows < 0] = -np.inf
        best = np.argsort(-similarities, axis=1, kind="stable")[:, :k]
        return np.take_along_axis(similarities, best, 1), np.take_along_axis(rows, best, 1)

    def _hits(self, similarities: np.ndarray, rows: np.ndarray) -> list[list[Hit]]:
        ids = np.asarray(self._row_ids.ids)
        return [
            to_hits(np.where(r < 0, -1, ids[r]), s) for r, s in zip(rows, similarities, strict=True)
        ]

    def _probes(self, wider: float = 1.0) -> int:
        assert self._index is not None  # noqa: S101
        lists = int(self._index.nlist)
        wanted = self._settings.probes if isinstance(self._settings, IvfIndex) else None
        probes = wanted or max(8, round(lists * _PROBED_SHARE))
        return min(round(self._width * wider * probes), lists)

    def _ef(self) -> int:
        wanted = self._settings if isinstance(self._settings, HnswIndex) else HnswIndex()
        return round(self._width * wanted.ef)


def _selector(mask: RowMask | None) -> Any:
    return None if mask is None else faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
