"""Which rows have a value, in few bytes: row numbers where they are few, else a bit a row."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from coin_retrieval.row_ids import RowIds
from coin_retrieval.types import ImageIds, RowMask

_NUMBERS, _BITS = b"n", b"b"


def pack_rows(rows: Sequence[int] | np.ndarray, *, row_count: int) -> bytes:
    """Row numbers, ascending, of ``row_count``."""
    numbers = np.asarray(rows, "<u4")
    if 32 * len(numbers) <= row_count:
        return _NUMBERS + numbers.tobytes()
    mask = np.zeros(row_count, np.bool_)
    mask[numbers] = True
    return _BITS + np.packbits(mask, bitorder="little").tobytes()


def unpack_rows(packed: bytes, mask: RowMask) -> None:
    """Set what :func:`pack_rows` packed in a boolean for every row."""
    if packed[:1] == _NUMBERS:
        mask[np.frombuffer(packed, "<u4", offset=1)] = True
    else:
        bits = np.frombuffer(packed, np.uint8, offset=1)
        mask |= np.unpackbits(bits, count=len(mask), bitorder="little").view(np.bool_)


def count_rows(packed: bytes, mask: RowMask) -> int:
    """How many of the rows that :func:`pack_rows` packed are in a boolean for every row."""
    if packed[:1] == _NUMBERS:
        return int(np.count_nonzero(mask[np.frombuffer(packed, "<u4", offset=1)]))
    there = np.zeros_like(mask)
    unpack_rows(packed, there)
    return int(np.count_nonzero(there & mask))


def pack_numbers(numbers: ImageIds) -> bytes:
    """An index of numbers by row, int64 [n], with its order."""
    index = RowIds(numbers)
    return index.ids.astype("<i8").tobytes() + index.order.astype("<i4").tobytes()


def unpack_numbers(packed: bytes) -> RowIds:
    """What :func:`pack_numbers` packed."""
    count = len(packed) // 12
    ids = np.frombuffer(packed, "<i8", count)
    order = np.frombuffer(packed, "<i4", count, offset=8 * count)
    return RowIds(ids, order)
