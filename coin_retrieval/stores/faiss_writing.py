"""Writes what :class:`~coin_retrieval.stores.faiss.FaissStore` reads: rows as they come."""

from __future__ import annotations

from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np

from coin_retrieval.config import FaissStoreSettings, HnswIndex, IvfIndex
from coin_retrieval.errors import ArchiveCorruptError, InputError
from coin_retrieval.row_ids import order_of
from coin_retrieval.stores.base import StoreWriter
from coin_retrieval.stores.faiss_files import (
    IDS,
    INDEX,
    VECTORS,
    flat_header,
    open_index,
    open_vectors,
)
from coin_retrieval.stores.faiss_module import faiss
from coin_retrieval.stores.index_choice import INDEXED_ROWS, choose_index, lists_of
from coin_retrieval.types import Embeddings, ImageIds, Location

_TRAINED_A_LIST = 64
_TRAINED = 16_384
_GROUPED = 40
"""Rows a centroid that a graph is ordered by."""

_PASSES = 10
"""Of k-means, over so many rows a centroid: more cost minutes at a million and find no more."""

_AT_ONCE = 65_536
_BLOCK = 32
"""Codes that fast scan compares at once."""


class FaissStoreWriter(StoreWriter):
    """Rows go to the disk at once; an index over them is made when all are there.

    It is made of these rows alone, so that a segment that is written anew without some of them
    keeps nothing of those, neither in its codes nor in what they were trained on.
    """

    def __init__(self, settings: FaissStoreSettings, folder: Path, *, dim: int) -> None:
        self.dim = dim
        self._settings = settings.index
        self._folder = folder
        self._ids: list[ImageIds] = []
        self._count = 0
        self._file = (folder / VECTORS).open("wb")
        self._file.write(flat_header(count=0, dim=dim))

    @property
    def most_rows(self) -> int:
        """An index is searched faster in one than in many."""
        return super().most_rows if self._settings.kind == "flat" else INDEXED_ROWS

    def seal(self) -> Location:
        """Write header, ids and index; see :class:`StoreWriter`."""
        self._file.seek(0)
        self._file.write(flat_header(count=self._count, dim=self.dim))
        self._file.close()
        ids = np.concatenate([np.empty(0, np.int64), *self._ids])
        order = order_of(ids)
        if np.any(np.diff(ids[order]) == 0):
            raise InputError("an id came twice", expected="each id once")
        with (self._folder / IDS).open("wb") as file:
            np.save(file, np.stack([ids, order]), allow_pickle=False)
        index = self._index()
        if index is None:
            return Location(files=(VECTORS, IDS))
        path = self._folder / INDEX
        try:
            faiss.write_index(index, str(path))
            # FAISS does not look whether the last of it reached the file
            open_index(path, count=self._count, dim=self.dim)
        except (RuntimeError, ArchiveCorruptError) as error:
            raise OSError(None, f"the index could not be written: {error}", str(path)) from error
        return Location(files=(VECTORS, IDS, INDEX), parsed=(INDEX,))

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _add(self, ids: ImageIds, embeddings: Embeddings) -> None:
        self._file.write(embeddings.data)
        self._ids.append(ids.copy())
        self._count += len(ids)

    def _index(self) -> Any | None:
        """An index of the rows, trained on a sample of them; ``None`` if they are scanned."""
        wanted = choose_index(self._settings, rows=self._count, dim=self.dim)
        if wanted is None:
            return None
        sample = _TRAINED
        if isinstance(wanted, IvfIndex):
            lists = lists_of(wanted, rows=self._count)
            index = _empty_ivf(self.dim, lists, bits=wanted.bits)
            sample = lists * _TRAINED_A_LIST
        else:
            index = _empty_graph(self.dim, wanted)
        flat = open_vectors(self._folder / VECTORS, count=self._count, dim=self.dim)
        rows = faiss.rev_swig_ptr(flat.get_xb(), self._count * self.dim).reshape(-1, self.dim)
        index.train(np.ascontiguousarray(rows[:: max(1, self._count // sample)]))
        for start in range(0, self._count, _AT_ONCE):
            block = np.ascontiguousarray(rows[start : start + _AT_ONCE])
            index.add_with_ids(block, np.arange(start, start + len(block)))
        if isinstance(index, faiss.IndexIDMap):
            _put_near_together(index, rows)
        return index


def _empty_graph(dim: int, wanted: HnswIndex) -> Any:
    quantiser = faiss.ScalarQuantizer.QT_8bit
    graph = faiss.IndexHNSWSQ(dim, quantiser, wanted.m, faiss.METRIC_INNER_PRODUCT)
    graph.hnsw.efConstruction = wanted.ef_construction
    return faiss.IndexIDMap(graph)


def _put_near_together(numbered: Any, rows: np.ndarray) -> None:
    """Reorder a graph so that near rows lie beside each other; what is found keeps its number.

    A search waits for memory more than it computes (Coleman et al. 2022, "Graph reordering for
    cache-efficient near neighbor search").
    """
    points = {"min_points_per_centroid": 1, "max_points_per_centroid": _GROUPED}
    groups = faiss.Kmeans(rows.shape[1], isqrt(len(rows)), niter=4, spherical=True, **points)
    groups.train(np.ascontiguousarray(rows[:: max(1, len(rows) // (_GROUPED * groups.k))]))
    group = np.concatenate(
        [groups.assign(rows[i : i + _AT_ONCE])[1] for i in range(0, len(rows), _AT_ONCE)]
    )
    order = np.argsort(group, kind="stable")
    faiss.downcast_index(numbered.index).permute_entries(order)
    faiss.copy_array_to_vector(order, numbered.id_map)


def _empty_ivf(dim: int, lists: int, *, bits: int) -> Any:
    index = faiss.IndexIVFRaBitQFastScan(
        faiss.IndexFlatIP(dim), dim, lists, faiss.METRIC_INNER_PRODUCT, _BLOCK, True, bits
    )
    index.cp.spherical = True  # unit rows deserve unit centroids
    index.cp.niter = _PASSES
    index.cp.max_points_per_centroid = _TRAINED_A_LIST
    return index
