"""Vectors by row in FAISS's own formats, mapped into memory; ids beside them."""

from __future__ import annotations

from math import isinf
from pathlib import Path
from typing import Any, Self

import numpy as np

from coin_retrieval.config import FaissStoreSettings, FlatIndex
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
from coin_retrieval.stores.faiss_gpu import GpuRows
from coin_retrieval.stores.faiss_module import faiss
from coin_retrieval.stores.index_choice import ef_of, probes_of
from coin_retrieval.types import Embeddings, Hit, ImageIds, Location, RowMask

_PROPOSED = 4
_SPARE = 64
"""An index proposes so many times as many rows as are asked for, and so many more."""

_SCANNED_SHARE = 0.1
"""Filters that let fewer rows pass are exact scans: an index would walk past most of its rows."""


class FaissStore(VectorStore):
    """Inner product over unit rows: a scan, or an index (``ivf``, ``hnsw``) that proposes rows.

    What an index proposes is ranked by the rows themselves. Where a filter leaves few rows, or the
    index finds fewer than there are, the rows are scanned; on a GPU, where there is one with room
    for them, and nothing is filtered or removed.
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
        self._gpu = GpuRows(vectors)
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
        searched: bool = True,
    ) -> Self:
        """What :class:`FaissStoreWriter` sealed; how widely it searches is what the settings say.

        Args:
            alive: which rows are there; ``None`` for all.
            searched: if not, an index is not read.

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
        if searched and INDEX in location.files:
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
        if not isinstance(self._index, faiss.IndexIVF):
            graph = self._index
            if isinstance(graph, faiss.IndexIDMap):
                graph = faiss.downcast_index(graph.index)
            return f"hnsw ({graph.hnsw.nb_neighbors(1)} links, ef {self._ef(self._width)})"
        bits = 8
        if isinstance(self._index, faiss.IndexIVFRaBitQFastScan):
            bits = self._index.rabitq.nb_bits
        probes = self._probes(self._width)
        return f"ivf ({self._index.nlist} lists, {probes} probed, {bits}-bit)"

    @property
    def target_recall(self) -> float:
        """What the settings say; an exact store finds all."""
        return 1.0 if isinstance(self._settings, FlatIndex) else self._settings.recall

    @property
    def library(self) -> str:
        """FAISS, with its version."""
        return f"FAISS {faiss.__version__}"

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
        if mask is None and self._alive is None:
            found = self._gpu.search(queries, k)
            if found is not None:
                return self._hits(*found)
        return self._search_wider(queries, k, mask, 1.0)

    def _search_wider(
        self, queries: Embeddings, k: int, mask: RowMask | None, width: float
    ) -> list[list[Hit]]:
        if mask is None:
            mask = self._alive
        elif self._alive is not None:
            mask = mask & self._alive
        count = self.row_count if mask is None else int(np.count_nonzero(mask))
        if not count:
            return [[] for _ in queries]
        k = min(k, count)
        width *= self._width
        if self.exact or isinf(width) or (mask is not None and self._scanned(count)):
            return self._hits(*self._scan(queries, k, mask))
        rows, short = self._propose(queries, k, mask, count, width)
        similarities, rows = self._rank(queries, rows, k)
        if short.any():
            similarities[short], rows[short] = self._scan(queries[short], k, mask)
        return self._hits(similarities, rows)

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
        self, queries: Embeddings, k: int, mask: RowMask | None, allowed: int, width: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rows that the index thinks near, [n ≥k], -1 where it knows no more; and which queries got
        too few to be sure of the nearest.

        A filter is applied to what was found, of which there is the more. FAISS's own selector
        would return whatever it meets where all that is near is refused, and is ignored by graphs
        whose queue has no bounds (faiss issue 5504).
        """
        assert self._index is not None  # noqa: S101
        wanted, passed = _PROPOSED * k, self.row_count / allowed
        if isinstance(self._index, faiss.IndexIVF):
            wanted = round(max(1.0, width) * (wanted + _SPARE))
            parameters = faiss.SearchParametersIVF(nprobe=self._probes(width * passed))
        else:
            ef = max(self._ef(width), wanted)
            parameters = faiss.SearchParametersHNSW(efSearch=round(ef * passed))
        proposed = min(round(wanted * passed), self.row_count)
        rows = np.asarray(self._index.search(queries, proposed, params=parameters)[1])
        if mask is None:
            return rows, rows[:, k - 1] < 0
        rows = np.where(mask[rows], rows, -1)
        return rows, (rows >= 0).sum(axis=1) < min(wanted // 2, allowed)

    def _rank(self, queries: Embeddings, rows: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
        """The ``k`` best of the proposed rows, by the rows themselves."""
        similarities = np.matmul(self._vectors[rows], queries[:, :, None])[:, :, 0]
        similarities[rows < 0] = -np.inf
        best = np.argsort(-similarities, axis=1, kind="stable")[:, :k]
        # not take_along_axis, which takes as long as all the rest of this
        each = np.arange(len(rows))[:, None]
        return similarities[each, best], rows[each, best]

    def _hits(self, similarities: np.ndarray, rows: np.ndarray) -> list[list[Hit]]:
        ids = np.where(rows < 0, -1, np.asarray(self._row_ids.ids)[rows])
        return [to_hits(i, s) for i, s in zip(ids, similarities, strict=True)]

    def _probes(self, width: float) -> int:
        assert self._index is not None  # noqa: S101
        lists = int(self._index.nlist)
        return min(max(1, round(width * probes_of(self._settings, lists=lists))), lists)

    def _ef(self, width: float) -> int:
        return max(1, round(width * ef_of(self._settings)))


def _selector(mask: RowMask | None) -> Any:
    return None if mask is None else faiss.IDSelectorBitmap(np.packbits(mask, bitorder="little"))
