"""Writes what :class:`~coin_retrieval.stores.faiss.FaissStore` reads: rows as they come."""

from __future__ import annotations

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
from coin_retrieval.types import Embeddings, ImageIds, Location

_ROWS_A_LIST = 39
"""FAISS's k-means wants at least 39 training points a centroid (``ClusteringParameters``)."""

_TRAINED_A_LIST = 256
"""It uses no more than so many."""

_AT_ONCE = 65_536
_INDEXED_ROWS = 4_194_304


class FaissStoreWriter(StoreWriter):
    """Rows go to the disk at once; an index over them is made when all are there.

    ``ivf`` has none below ``train_from`` rows: an exact scan of 10,000 takes under 2 ms.
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
        return super().most_rows if self._settings.kind == "flat" else _INDEXED_ROWS

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
        wanted = self._settings
        if isinstance(wanted, IvfIndex) and self._count >= wanted.train_from:
            return self._filled(_empty_ivf(self.dim, _lists(self._count, wanted.lists)))
        if isinstance(wanted, HnswIndex) and self._count:
            graph = faiss.IndexHNSWSQ(
                self.dim, faiss.ScalarQuantizer.QT_8bit, wanted.m, faiss.METRIC_INNER_PRODUCT
            )
            graph.hnsw.efConstruction = wanted.ef_construction
            return self._filled(graph)
        return None

    def _filled(self, index: Any) -> Any:
        """The index, trained on a sample of the rows and with all of them in it."""
        flat = open_vectors(self._folder / VECTORS, count=self._count, dim=self.dim)
        lists = index.nlist if isinstance(index, faiss.IndexIVF) else _TRAINED_A_LIST
        step = max(1, self._count // (_TRAINED_A_LIST * lists))
        rows = faiss.rev_swig_ptr(flat.get_xb(), self._count * self.dim).reshape(-1, self.dim)
        index.train(np.ascontiguousarray(rows[::step]))
        for start in range(0, self._count, _AT_ONCE):
            index.add(np.ascontiguousarray(rows[start : start + _AT_ONCE]))
        return index


def _lists(count: int, wanted: int | None) -> int:
    if wanted is None:
        wanted = max(1, min(round(4 * count**0.5), count // _ROWS_A_LIST))
    return min(wanted, count)


def _empty_ivf(dim: int, lists: int) -> Any:
    index = faiss.IndexIVFScalarQuantizer(
        faiss.IndexFlatIP(dim),
        dim,
        lists,
        faiss.ScalarQuantizer.QT_8bit,
        faiss.METRIC_INNER_PRODUCT,
        False,
    )
    index.cp.spherical = True  # unit rows deserve unit centroids
    return index
