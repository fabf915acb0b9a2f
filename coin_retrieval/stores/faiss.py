"""Vectors in a FAISS index under stable ids."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np

from coin_retrieval.config import FaissStoreSettings, HnswIndex, IvfIndex
from coin_retrieval.errors import ArchiveCorruptError, NotFoundError
from coin_retrieval.stores.base import VectorStore, to_hits
from coin_retrieval.stores.faiss_module import faiss
from coin_retrieval.types import Embeddings, Hit, ImageIds, Location

_EXACT = FaissStoreSettings()
_FILE = "vectors.faiss"
_PROBED_SHARE = 1 / 16
_ROWS_A_LIST = 39
"""FAISS's k-means wants at least 39 training points a centroid (``ClusteringParameters``)."""


class FaissStore(VectorStore):
    """Inner product over unit rows; ``flat`` scans all rows, ``ivf`` and ``hnsw`` approximate.

    ``ivf`` stays flat while it has few rows: an exact scan of 10,000 takes under 2 ms. A filter
    never costs hits: ``flat`` and ``ivf`` scan exactly the allowed rows, and so does ``hnsw``,
    whose graph walk would lose them (faiss issues 3186, 5504). A search that comes back short is
    repeated as an exact scan.

    Reading is thread-safe, changing is not.
    """

    def __init__(self, dim: int, settings: FaissStoreSettings = _EXACT) -> None:
        self.dim = dim
        self._wanted = settings.index
        self._index = self._empty_index()
        self._positions = _Positions(_index_ids(self._index))

    @classmethod
    def create(cls, settings: FaissStoreSettings, *, dim: int) -> Self:
        """An empty index of ``dim``-wide rows."""
        return cls(dim, settings)

    @classmethod
    def open(
        cls, settings: FaissStoreSettings, folder: Path, location: Location, *, dim: int
    ) -> Self:
        """Open what :meth:`seal` wrote; how widely it searches is what the settings say.

        Raises:
            ArchiveCorruptError: no FAISS index, or one of another width or metric.
        """
        path = folder.joinpath(*location.files)
        try:
            index = faiss.read_index(str(path))
        except RuntimeError as error:
            raise ArchiveCorruptError(
                "the vector index cannot be read",
                value=str(path),
                expected="a FAISS index that this program wrote",
                remedy="build the archive again",
            ) from error
        if index.d != dim or index.metric_type != faiss.METRIC_INNER_PRODUCT:
            raise ArchiveCorruptError(
                f"{path} is not the index of this archive",
                value=f"{index.d}-d, metric {index.metric_type}",
                expected=f"{dim}-d, inner product",
                remedy="build the archive again",
            )
        store = cls(dim, settings)
        store._index = index
        store._positions = _Positions(_index_ids(store._index))
        store._set_search_width()
        return store

    @property
    def exact(self) -> bool:
        """Whether unfiltered searches are exact too."""
        return isinstance(self._index, faiss.IndexIDMap2) and isinstance(
            self._rows, faiss.IndexFlat
        )

    @property
    def kind(self) -> str:
        """What the index is now, with the numbers that decide its recall."""
        if self.exact:
            return "flat"
        if self._is_ivf:
            return f"ivf ({self._index.nlist} lists, {self._index.nprobe} probed)"
        graph = self._rows.hnsw
        return f"hnsw ({graph.nb_neighbors(1)} links, ef {graph.efSearch})"

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def ids(self) -> ImageIds:
        """All ids, int64 [n], in no particular order."""
        return self._positions.ids.copy()

    def vectors(self, ids: ImageIds) -> Embeddings:
        """The stored rows of these ids, float32 [n dim], in their order.

        Raises:
            NotFoundError: an id is not there.
        """
        wanted = np.ascontiguousarray(ids, np.int64)
        missing = wanted[~self._positions.contains(wanted)]
        if len(missing):
            raise NotFoundError(
                "no such id in the store",
                value=missing[:5].tolist(),
                expected=f"ids among the {len(self)} stored",
            )
        rows = np.empty((len(wanted), self.dim), np.float32)
        if len(wanted):
            self._index.reconstruct_batch(wanted, rows)
        return rows

    def seal(self, folder: Path) -> Location:
        """Write everything to one file, in FAISS's own format."""
        faiss.write_index(self._index, str(folder / _FILE))
        return Location(files=(_FILE,))

    def _add(self, ids: ImageIds, embeddings: Embeddings) -> None:
        self._index.add_with_ids(embeddings, ids)
        wanted = self._wanted
        if isinstance(wanted, IvfIndex) and not self._is_ivf and len(self) >= wanted.train_from:
            present = _index_ids(self._index)
            rows = np.empty((len(present), self.dim), np.float32)
            self._index.reconstruct_batch(present, rows)
            self._index = _ivf_index(rows, present, wanted.lists)
            self._set_search_width()
        self._positions = _Positions(_index_ids(self._index))

    def _remove(self, ids: ImageIds) -> int:
        present = ids[self._positions.contains(ids)]
        if not len(present):
            return 0
        if self._is_hnsw:
            # HNSW has no remove (faiss issue 3339): link the rows that stay anew
            kept = np.setdiff1d(self._positions.ids, present)
            rows = self.vectors(kept)
            self._index = self._empty_index()
            if len(kept):
                self._index.add_with_ids(rows, kept)
        else:
            # IVF's hash table of ids knows only how to remove an array of them
            self._index.remove_ids(faiss.IDSelectorArray(present))
        self._positions = _Positions(_index_ids(self._index))
        return len(np.unique(present))

    def _search(self, queries: Embeddings, k: int, allowed: ImageIds | None) -> list[list[Hit]]:
        if allowed is not None:
            inside = np.unique(np.ascontiguousarray(allowed, np.int64))
            inside = inside[self._positions.contains(inside)]
            if not len(inside):
                return [[] for _ in queries]
            similarities, found = self._scan(queries, min(k, len(inside)), inside)
        else:
            similarities, found = self._index.search(queries, k)
            if np.any(found < 0):
                similarities, found = self._scan(queries, k, None)
        return [to_hits(i, s) for i, s in zip(found, similarities, strict=True)]

    def _scan(
        self, queries: Embeddings, k: int, allowed: ImageIds | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Exact search of the allowed rows: similarities and ids [n k]."""
        if self._is_ivf:
            # named first: FAISS keeps no reference of its own to the selector
            selector = None if allowed is None else faiss.IDSelectorBatch(allowed)
            parameters = faiss.SearchParametersIVF(nprobe=self._index.nlist, sel=selector)
            similarities, found = self._index.search(queries, k, params=parameters)
            return similarities, found
        rows = faiss.downcast_index(self._rows.storage) if self._is_hnsw else self._rows
        selector = None
        if allowed is not None:
            selector = faiss.IDSelectorBatch(self._positions.of(allowed))
        similarities, positions = rows.search(
            queries, k, params=faiss.SearchParameters(sel=selector)
        )
        return similarities, np.where(positions < 0, -1, self._positions.ids[positions])

    def _empty_index(self) -> Any:
        if isinstance(self._wanted, HnswIndex):
            graph = faiss.IndexHNSWFlat(self.dim, self._wanted.m, faiss.METRIC_INNER_PRODUCT)
            graph.hnsw.efConstruction = self._wanted.ef_construction
            graph.hnsw.efSearch = self._wanted.ef
            return faiss.IndexIDMap2(graph)
        return faiss.IndexIDMap2(faiss.IndexFlatIP(self.dim))

    def _set_search_width(self) -> None:
        if self._is_ivf and isinstance(self._wanted, IvfIndex):
            lists = self._index.nlist
            probes = self._wanted.probes or max(8, round(lists * _PROBED_SHARE))
            self._index.nprobe = min(probes, lists)
        elif self._is_hnsw and isinstance(self._wanted, HnswIndex):
            self._rows.hnsw.efSearch = self._wanted.ef

    @property
    def _rows(self) -> Any:
        """The index under the id map."""
        return faiss.downcast_index(self._index.index)

    @property
    def _is_ivf(self) -> bool:
        return isinstance(self._index, faiss.IndexIVFFlat)

    @property
    def _is_hnsw(self) -> bool:
        return not self._is_ivf and isinstance(self._rows, faiss.IndexHNSWFlat)


class _Positions:
    """Where each id lies: ids in the index's order, and a sorted copy to look them up."""

    def __init__(self, ids: ImageIds) -> None:
        self.ids = ids
        self._order = np.argsort(ids, kind="stable")
        self._sorted = ids[self._order]

    def contains(self, ids: ImageIds) -> np.ndarray:
        """Boolean [n]."""
        if not len(self.ids):
            return np.zeros(len(ids), bool)
        nearest = np.searchsorted(self._sorted, ids).clip(max=len(self.ids) - 1)
        inside: np.ndarray = self._sorted[nearest] == ids
        return inside

    def of(self, ids: ImageIds) -> np.ndarray:
        """Positions int64 [n] of ids that are there."""
        positions: np.ndarray = self._order[np.searchsorted(self._sorted, ids)]
        return positions.astype(np.int64)


def _ivf_index(rows: Embeddings, ids: ImageIds, lists: int | None) -> Any:
    if lists is None:
        lists = max(1, min(round(4 * len(rows) ** 0.5), len(rows) // _ROWS_A_LIST))
    lists = min(lists, len(rows))
    dim = rows.shape[1]
    quantizer = faiss.IndexFlatIP(dim)
    index = faiss.IndexIVFFlat(quantizer, dim, lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.spherical = True  # unit rows deserve unit centroids
    index.train(rows)
    index.set_direct_map_type(faiss.DirectMap.Hashtable)
    index.add_with_ids(rows, ids)
    return index


def _index_ids(index: Any) -> ImageIds:
    if isinstance(index, faiss.IndexIDMap2):
        ids: ImageIds = faiss.vector_to_array(index.id_map).astype(np.int64)
        return ids
    lists = index.invlists
    parts = [
        faiss.rev_swig_ptr(lists.get_ids(i), lists.list_size(i)).copy() for i in range(index.nlist)
    ]
    return np.concatenate(parts).astype(np.int64)
