"""A new version appears in one step, or not at all.

Everything is written aside, flushed to the disk, renamed into ``segments/`` and ``versions/``, and
only then does ``CURRENT`` point to it: a reader sees the old version or the new one, whatever kills
the builder.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from coin_retrieval.archive.layout import MANIFEST, ArchiveLayout
from coin_retrieval.archive.locks import is_held
from coin_retrieval.archive.manifest import Segment, read_manifest
from coin_retrieval.errors import ArchiveError
from coin_retrieval.files import PARTIAL, flush_to_disk, replace_file

KEPT_VERSIONS = 8
"""The last so many can be gone back to; they share their segments."""

_STAGING = ".staging-"


def next_version(layout: ArchiveLayout) -> str:
    """A name that no version has had, finished or not."""
    numbers = [int(path.name) for path in version_folders(layout)]
    # of a version that was never finished, segments may be left
    numbers += [int(path.name.split("-")[0]) for path in _segments(layout)]
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
    """Make a staged folder the archive's current version; its segments lie in place already."""
    flush_folder(staged)
    folder = layout.version(version)
    staged.rename(folder)
    flush_to_disk(layout.versions)
    if layout.remote is not None:
        files = {path.name: path.read_bytes() for path in folder.iterdir()}
        layout.remote.versions.publish(version, files)
    replace_file(layout.current, f"{version}\n", flush=True)
    return folder


def move_segment(layout: ArchiveLayout, segment: Segment, name: str) -> Segment:
    """Flush a segment that was written elsewhere in the archive, and move it into place."""
    folder = layout.root / segment.folder
    flush_folder(folder)
    layout.segments.mkdir(exist_ok=True)
    flush_to_disk(layout.root)
    target = layout.segments / name
    folder.rename(target)
    flush_to_disk(layout.segments)
    return segment.model_copy(update={"folder": target.relative_to(layout.root).as_posix()})


def flush_folder(folder: Path) -> None:
    """Wait until everything in a folder has reached the disk."""
    for path in folder.rglob("*"):
        flush_to_disk(path)
    flush_to_disk(folder)


def prune(layout: ArchiveLayout, *, keep: int = KEPT_VERSIONS, held: bool = False) -> list[str]:
    """Delete versions before the last ``keep``, and segments that no other names; returns which.

    A version that somebody reads stays until the next time, unless ``held`` ones go, too.
    """
    folders = sorted(version_folders(layout), key=lambda path: int(path.name))
    gone = [path for path in folders[:-keep] if held or not is_held(layout, path)]
    for path in gone:
        shutil.rmtree(path)
    if layout.remote is not None:
        layout.remote.versions.forget(path.name for path in gone)
    _sweep_segments(layout)
    return [path.name for path in gone]


def sweep_unfinished(layout: ArchiveLayout) -> None:
    """Delete what a builder left that died between writing and publishing."""
    current = int(layout.current_name() or 0)
    for path in version_folders(layout):
        if int(path.name) > current:
            shutil.rmtree(path)
    _sweep_segments(layout)
    for path in (*layout.root.glob(f"*{PARTIAL}"), *layout.versions.glob(f"*/*{PARTIAL}")):
        path.unlink()


def _sweep_segments(layout: ArchiveLayout) -> None:
    """Delete segments that no version names; none, if a version does not say which it needs."""
    named: set[str] = set()
    for path in version_folders(layout):
        try:
            named |= {segment.folder for segment in read_manifest(path / MANIFEST).segments}
        except ArchiveError:
            return
    for path in _segments(layout):
        if path.relative_to(layout.root).as_posix() not in named:
            shutil.rmtree(path)


def version_folders(layout: ArchiveLayout) -> list[Path]:
    """The folders of all versions, finished or not, in no particular order."""
    return [path for path in layout.versions.glob("*") if path.is_dir() and path.name.isdigit()]


def _segments(layout: ArchiveLayout) -> list[Path]:
    return [
        path
        for path in layout.segments.glob("*")
        if path.is_dir() and path.name.split("-")[0].isdigit()
    ]
