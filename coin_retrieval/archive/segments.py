"""What a version says of its segments: which of their rows are there, which files to distrust."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from coin_retrieval.archive.layout import ArchiveLayout
from coin_retrieval.archive.manifest import ArchiveManifest, FileSeal, Segment, check_seal, seal
from coin_retrieval.errors import ArchiveCorruptError
from coin_retrieval.types import Location, RowMask


def sealed_segment(
    folder: Path, root: Path, store: Location, catalog: Location, rows: int
) -> Segment:
    """A segment that lies in a folder, with the digest of each file."""
    files: dict[str, FileSeal] = {
        name: seal(folder / name) for name in (*store.files, *catalog.files)
    }
    where = folder.relative_to(root).as_posix()
    return Segment(folder=where, rows=rows, store=store, catalog=catalog, files=files)


def alive_rows(version: Path, segment: Segment) -> RowMask | None:
    """Which rows of a segment are in a version, bool [rows]; ``None`` for all.

    Args:
        version: the version's folder.

    Raises:
        ArchiveCorruptError: the list cannot be read, or is not of this segment.
    """
    if segment.removed_file is None:
        return None
    path = version / segment.removed_file
    try:
        removed = np.load(path, allow_pickle=False)
        alive = np.ones(segment.rows, np.bool_)
        alive[removed] = False
    except (OSError, ValueError, EOFError, IndexError) as error:
        raise _not_its_list(path, segment) from error
    if np.count_nonzero(alive) != segment.rows - segment.removed:
        raise _not_its_list(path, segment)
    return alive


def leave_out(version: Path, segment: Segment, alive: RowMask) -> Segment:
    """The segment as a version has it, of which only ``alive`` rows are there; lists the others.

    Args:
        version: the folder that the version is written in.
    """
    removed = np.flatnonzero(~alive).astype(np.uint32)
    if not len(removed):
        return segment.model_copy(update={"removed": 0, "removed_file": None})
    name = f"removed-{Path(segment.folder).name}.npy"
    with (version / name).open("wb") as file:
        np.save(file, removed, allow_pickle=False)
    return segment.model_copy(update={"removed": len(removed), "removed_file": name})


def check_parsed(layout: ArchiveLayout, manifest: ArchiveManifest) -> None:
    """Check the digest of files that a library parses without asking whether they are whole.

    Raises:
        ArchiveCorruptError: a checksum does not hold.
    """
    for segment in manifest.segments:
        for name in segment.store.parsed:
            check_seal(layout.root / segment.folder / name, segment.files[name])


def _not_its_list(path: Path, segment: Segment) -> ArchiveCorruptError:
    return ArchiveCorruptError(
        "the list of removed rows cannot be used",
        value=str(path),
        expected=f"{segment.removed} of {segment.rows} row numbers",
        remedy="build the archive again, or restore it from a backup",
    )
