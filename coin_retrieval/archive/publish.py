"""A new version appears in one step, or not at all.

Everything is written aside, flushed to the disk, renamed into ``versions/``, and only then does
``CURRENT`` point to it: a reader sees the old version or the new one, whatever kills the builder.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coin_retrieval.archive.layout import ArchiveLayout
from coin_retrieval.files import flush_to_disk, replace_file

_STAGING = ".staging-"


def next_version(layout: ArchiveLayout) -> str:
    """A name that no version has had, finished or not."""
    numbers = [int(path.name) for path in _versions(layout)]
    return f"{max(numbers, default=0) + 1:06d}"


@contextmanager
def staging(layout: ArchiveLayout, version: str) -> Iterator[Path]:
    """A folder to write a version in; it is gone afterwards unless it was published.

    The caller holds the archive's lock: leftovers of builds that were killed are removed first.
    """
    layout.versions.mkdir(parents=True, exist_ok=True)
    for leftover in layout.versions.glob(f"{_STAGING}*"):
        shutil.rmtree(leftover)
    folder = layout.versions / f"{_STAGING}{version}"
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def publish(layout: ArchiveLayout, staged: Path, version: str) -> Path:
    """Make a staged folder the archive's current version, and drop versions before the last two."""
    before = layout.current_name()
    for path in staged.rglob("*"):
        flush_to_disk(path)
    flush_to_disk(staged)
    folder = layout.versions / version
    staged.rename(folder)
    flush_to_disk(layout.versions)
    replace_file(layout.current, f"{version}\n", flush=True)
    for path in _versions(layout):
        if path.name not in (version, before):
            shutil.rmtree(path)
    return folder


def _versions(layout: ArchiveLayout) -> list[Path]:
    return [path for path in layout.versions.glob("*") if path.is_dir() and path.name.isdigit()]
