"""What archives of 10^5 … 10^9 pictures need, from what one of yours takes: a table for the docs.

    python bench/sizing.py ARCHIVE --embedded-per-s 1500

Bytes a picture are measured on an archive in a folder. What one GPU embeds a second is
``bench/encoding.py``'s figure there. Rows are exact scans; a server of an archive in Milvus
and PostgreSQL holds ids and keys of all rows (52 bytes each); of one in files it maps them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from coin_retrieval.factory import open_archive

KEYS_BYTES = 3 * (8 + 8) + 4
"""Ids, contents and places as int64 with their order, and a filter's booleans."""

MILVUS_SEGMENT_ROWS = 4_194_304
NODE_BYTES = 256e9
"""Memory of one machine: beyond three quarters of it, vectors are divided."""


def main() -> None:
    options_of = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options_of.add_argument("archive", type=Path)
    options_of.add_argument("--embedded-per-s", type=float, required=True)
    options = options_of.parse_args()
    with open_archive(options.archive) as archive:
        images, dim = len(archive.store), archive.store.dim
        folders = [archive.root / segment.folder for segment in archive.manifest.segments]
    kinds = ("*.sqlite", "lookups.npy")
    catalog = sum(_size(folder, kind) for folder in folders for kind in kinds) / images
    thumbnails = _size(archive.root / "thumbnails", "*.*") / images
    vectors = 4 * dim + 16
    print(
        f"Measured on {images:,} pictures: {vectors:,} bytes of vectors ({dim}-d), "
        f"{catalog:,.0f} of records, {thumbnails:,.0f} of thumbnail a picture.\n"
    )
    print(
        "| pictures | disk, GB: vectors / records / thumbnails | RAM of the vectors, GB "
        "| RAM of a server, GB | machines for vectors | segments | device hours |"
    )
    print("|---|---|---|---|---|---|---|")
    for power in range(5, 10):
        count = 10**power
        disk = " / ".join(_gb(count * part) for part in (vectors, catalog, thumbnails))
        nodes = max(1, -(-int(count * vectors) // int(0.75 * NODE_BYTES)))
        segments = max(1, -(-count // MILVUS_SEGMENT_ROWS))
        hours = count / options.embedded_per_s / 3600
        print(
            f"| 10^{power} | {disk} | {_gb(count * vectors)} | {_gb(count * KEYS_BYTES)} "
            f"| {nodes} | {segments} | {hours:,.2g} |"
        )


def _size(folder: Path, pattern: str) -> int:
    return sum(path.stat().st_size for path in folder.rglob(pattern))


def _gb(count: float) -> str:
    return f"{count / 1e9:,.2g}" if count < 1e11 else f"{count / 1e9:,.0f}"


if __name__ == "__main__":
    main()
