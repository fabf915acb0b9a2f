"""The files of a FAISS store: which they are, and opening them."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np

from coin_retrieval.errors import ArchiveCorruptError
from coin_retrieval.row_ids import RowIds
from coin_retrieval.stores.faiss_module import faiss

VECTORS = "vectors.faiss"
IDS = "ids.npy"
INDEX = "index.faiss"


def flat_header(*, count: int, dim: int) -> bytes:
    """What stands before the rows in FAISS's file of a flat inner-product index."""
    header = bytearray(faiss.serialize_index(faiss.IndexFlatIP(dim)).tobytes())
    header[8:16] = struct.pack("<q", count)
    header[-8:] = struct.pack("<q", count * dim)
    return bytes(header)


def open_vectors(path: Path, *, count: int, dim: int) -> Any:
    """The rows as a flat index, mapped into memory.

    Raises:
        ArchiveCorruptError: not ``count`` rows of ``dim``.
    """
    header = flat_header(count=count, dim=dim)
    try:
        with path.open("rb") as file:
            found = file.read(len(header))
        whole = path.stat().st_size == len(header) + 4 * count * dim
    except OSError as error:
        raise _unreadable(path) from error
    # what FAISS parses is known byte for byte, so that no spoilt file reaches it
    if found != header or not whole:
        raise _unreadable(path, expected=f"{count} rows, {dim}-d, inner product")
    if not count:
        return faiss.IndexFlatIP(dim)
    return faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)


def open_ids(path: Path) -> RowIds:
    """Ids by row and rows by id, mapped into memory.

    Raises:
        ArchiveCorruptError: not such a file.
    """
    try:
        both = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(path) from error
    if both.ndim != 2 or len(both) != 2 or both.dtype != np.int64:
        raise _unreadable(path, expected="int64 [2 n]")
    return RowIds(both[0], both[1])


def open_index(path: Path, *, count: int, dim: int) -> Any:
    """The approximate index over the rows.

    Raises:
        ArchiveCorruptError: none, or of other rows.
    """
    try:
        # a graph stays on the disk until it is walked; lists are a tenth of the rows
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)
    except RuntimeError as error:
        raise _unreadable(path) from error
    if (index.d, index.ntotal, index.metric_type) != (dim, count, faiss.METRIC_INNER_PRODUCT):
        raise _unreadable(path, expected=f"{count} rows, {dim}-d, inner product")
    return index


def open_earlier(path: Path, *, dim: int) -> tuple[Any, RowIds, Any | None]:
    """The one file of an archive of schema 1 to 3, whose index held the ids: all in memory.

    A graph is used as it is; inverted lists are scanned.

    Raises:
        ArchiveCorruptError: not such a file.
    """
    try:
        index = faiss.read_index(str(path))
    except RuntimeError as error:
        raise _unreadable(path) from error
    if index.d != dim or index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise _unreadable(path, expected=f"{dim}-d, inner product; it is {index.d}-d")
    flat = faiss.IndexFlatIP(dim)
    if isinstance(index, faiss.IndexIDMap2):
        ids = faiss.vector_to_array(index.id_map).astype(np.int64)
        inner = faiss.downcast_index(index.index)
        graph = inner if isinstance(inner, faiss.IndexHNSWFlat) else None
        # the inner index is the outer one's: who holds it must hold both
        inner.referenced_objects = [index]
        flat.add(inner.reconstruct_n(0, len(ids)))
        return flat, RowIds(ids), graph
    lists = index.invlists
    ids = np.concatenate(
        [
            faiss.rev_swig_ptr(lists.get_ids(i), lists.list_size(i)).copy()
            for i in range(index.nlist)
        ]
    ).astype(np.int64)
    rows = np.empty((len(ids), dim), np.float32)
    index.reconstruct_batch(ids, rows)
    flat.add(rows)
    return flat, RowIds(ids), None


def _unreadable(path: Path, *, expected: str = "what this program wrote") -> ArchiveCorruptError:
    return ArchiveCorruptError(
        "the vectors cannot be read",
        value=str(path),
        expected=expected,
        remedy="build the archive again, or restore it from a backup",
    )
