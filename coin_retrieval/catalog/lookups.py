"""What a catalog's rows are looked up by, in a file beside its database: mapped, never read whole.

One array int64 [3, 2, n] of NumPy's: for each of :data:`LOOKED_UP` the number of every row, and the
rows by ascending number. Looking up touches a few pages, however many rows there are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from coin_retrieval.errors import ArchiveCorruptError
from coin_retrieval.row_ids import RowIds, order_of
from coin_retrieval.types import ImageIds

LOOKUPS = "lookups.npy"
LOOKED_UP = ("ids", "contents", "uris")
"""Images by their ids, by the heads of their contents' hashes, and by hashes of their places."""


def write_lookups(path: Path, numbers: Mapping[str, ImageIds]) -> None:
    """Write the numbers by row, int64 [n], of each of :data:`LOOKED_UP`, and their orders.

    Raises:
        OSError: it cannot be written.
    """
    count = len(numbers[LOOKED_UP[0]])
    header = {"descr": "<i8", "fortran_order": False, "shape": (len(LOOKED_UP), 2, count)}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for name in LOOKED_UP:
            file.write(numbers[name].data)
            file.write(order_of(numbers[name]).data)


def open_lookups(path: Path) -> dict[str, RowIds]:
    """What :func:`write_lookups` wrote, mapped into memory.

    Raises:
        ArchiveCorruptError: not such a file.
    """
    try:
        mapped = np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise _unreadable(path) from error
    if mapped.ndim != 3 or mapped.shape[:2] != (len(LOOKED_UP), 2) or mapped.dtype != np.int64:
        raise _unreadable(path)
    return {name: RowIds(*both) for name, both in zip(LOOKED_UP, mapped, strict=True)}


def _unreadable(path: Path) -> ArchiveCorruptError:
    return ArchiveCorruptError(
        "what the catalog is looked up by cannot be read",
        value=str(path),
        expected=f"int64 [{len(LOOKED_UP)} 2 n], as this program writes it",
        remedy="build the archive again, or restore it from a backup",
    )
