"""Five hundred cases of ten thousand are purged: is a byte of them left in any version?

    OMP_NUM_THREADS=1 python bench/purge.py FOLDER [--pictures 10000] [--cases 500]

An archive of small pictures with a stub encoder, one a case, in three versions; the last of them is
without a few more cases, which the purge takes along. Then every file below the archive, and its
path, is searched for what names a case that is gone: its case_id, its picture's SHA-256 in hex and
in bytes, its image's number in decimal and as eight bytes in either order, its vector.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

_HEAD = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--cases", type=int, default=500)
    options = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    from growth import stub_encoder, stub_settings
    from tiny_archives import write_picture, write_pictures

    from indexer.building import add, build
    from indexer.removing import remove
    from indexer.rows import read_sources

    pictures, more, root = (options.folder / name for name in ("pictures", "more", "archive"))
    if not pictures.is_dir():
        for number in range(options.pictures):
            write_picture(pictures / f"patient-{number:06d}.png", seed=number)
        write_pictures(more / "more", 100, first_seed=10**6)
    shutil.rmtree(root, ignore_errors=True)
    encoder, settings = stub_encoder(), stub_settings()
    rows = read_sources([pictures], archive=root, where={})
    build(root, rows, encoder=encoder, settings=settings, where={})
    add(root, read_sources([more], archive=root, where={}), encoder=encoder, settings=settings)
    every = options.pictures // options.cases
    gone, earlier = (
        [f"patient-{number:06d}" for number in range(first, options.pictures, step)]
        for first, step in ((0, every), (1, 25 * every))
    )
    traces = _traces(root, {*gone, *earlier})
    remove(root, earlier)
    print(f"before: {_found(root, traces)[0]:,} of {len(traces):,} traces found")
    started = time.process_time()
    report = remove(root, gone, purge=True, wait_s=0)
    cpu_s = time.process_time() - started
    found, files, size = _found(root, traces)
    print(
        f"{report.cases} of {options.pictures:,} cases purged in {cpu_s:.1f} CPU s: {found} of "
        f"{len(traces):,} traces found in {files:,} files, {size / 1e6:.0f} MB"
    )
    sys.exit(found > 0)


def _traces(root: Path, cases: set[str]) -> list[bytes]:
    """What names these cases."""
    from growing_archives import content

    traces: list[bytes] = []
    for number, (image, case, row) in content(root).items():
        if case.case_id in cases:
            traces += [
                image.case_id.encode(),
                image.content_hash.encode(),
                bytes.fromhex(image.content_hash),
                str(number).encode(),
                number.to_bytes(8, "little"),
                number.to_bytes(8, "big"),
                row,
            ]
    assert min(map(len, traces)) >= _HEAD  # noqa: S101 - or else it would not be looked for
    return traces


def _found(root: Path, traces: list[bytes]) -> tuple[int, int, int]:
    """How many of these are in a file or its path; how many files there are, and bytes."""
    known: dict[int, list[bytes]] = {}
    for trace in traces:
        known.setdefault(int.from_bytes(trace[:_HEAD], "little"), []).append(trace)
    heads = np.array(sorted(known), np.uint64)
    found: set[bytes] = set()
    files, size = 0, 0
    for path in root.rglob("*"):
        found.update(_within(os.fsencode(path), heads, known))
        if path.is_file():
            data = path.read_bytes()
            files, size = files + 1, size + len(data)
            found.update(_within(data, heads, known))
    return len(found), files, size


def _within(data: bytes, heads: Any, known: dict[int, list[bytes]]) -> Iterator[bytes]:
    for offset in range(_HEAD):
        windows = np.frombuffer(data[offset:], np.uint64, (len(data) - offset) // _HEAD)
        likely = heads[np.minimum(np.searchsorted(heads, windows), len(heads) - 1)]
        for place in np.flatnonzero(likely == windows).tolist():
            start = offset + place * _HEAD
            for trace in known[int(windows[place])]:
                if data.startswith(trace, start):
                    yield trace


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
