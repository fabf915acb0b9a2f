"""The versions that an archive keeps, and going back to one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from coin_retrieval import __version__
from coin_retrieval.archive import ArchiveLayout, ArchiveManifest
from coin_retrieval.archive.layout import MANIFEST, NOTES, SKIPPED
from coin_retrieval.archive.manifest import (
    Change,
    check_seals,
    read_manifest,
    seal,
    write_manifest,
)
from coin_retrieval.archive.opening import open_layout
from coin_retrieval.archive.publish import next_version, publish, staging, version_folders
from coin_retrieval.archive.segments import alive_rows, leave_out
from coin_retrieval.errors import ArchiveError, NotFoundError, UnsupportedError
from indexer.changing import changing, clean_up


@dataclass(frozen=True, slots=True)
class KeptVersion:
    """A version that can be gone back to, or that is the present one."""

    manifest: ArchiveManifest
    current: bool


def history(root: Path) -> list[KeptVersion]:
    """The versions of an archive, the newest first; what cannot be read is left out.

    Raises:
        NotFoundError: no archive there.
    """
    layout = open_layout(root)
    current = layout.published().name
    kept = []
    for folder in sorted(version_folders(layout), reverse=True):
        if int(folder.name) > int(current):
            continue  # its builder died before it was published
        try:
            manifest = read_manifest(folder / MANIFEST)
        except ArchiveError:
            continue
        kept.append(KeptVersion(manifest, folder.name == current))
    return kept


def rollback(root: Path, version: str | None = None) -> ArchiveManifest:
    """Make the archive what it was in an earlier version: as its next one, so that nothing is lost.

    Args:
        version: by default the one before the present one.

    Raises:
        NotFoundError: no archive there, or not this version.
        UnsupportedError: an earlier program wrote it.
        ArchiveCorruptError: it is not whole any more.
        ArchiveBusyError, ArchiveError: another process changes it; it may not be written.
    """
    with changing(root) as layout:
        known = [kept.manifest for kept in history(root) if not kept.current]
        wanted = [m for m in known if version is None or int(m.version) == int(version or 0)]
        if not wanted:
            raise NotFoundError(
                "no such version",
                value=version or "the one before",
                expected=", ".join(m.version for m in known) or "none is kept",
                remedy=f"coin-index history {root}",
            )
        was = wanted[0]
        if any(segment.earlier for segment in was.segments):
            raise UnsupportedError(
                "an earlier program wrote this version",
                value=was.version,
                expected="a version of the present program",
                remedy="copy the archive, and write this version's number into its CURRENT",
            )
        check_seals(layout, was)
        manifest = _again(layout, was)
        clean_up(layout, sweep=False)
    return manifest


def _again(layout: ArchiveLayout, was: ArchiveManifest) -> ArchiveManifest:
    folder, version = layout.version(was.version), next_version(layout)
    with staging(layout, version) as staged:
        for name in (SKIPPED, NOTES):
            (staged / name).write_bytes((folder / name).read_bytes())
        segments = []
        for segment in was.segments:
            alive = alive_rows(folder, segment)
            segments.append(segment if alive is None else leave_out(staged, segment, alive))
        manifest = was.model_copy(
            update={
                "version": version,
                "program": f"coin-retrieval {__version__}",
                "created_at": datetime.now(UTC),
                "change": Change(command="rollback", note=f"to {was.version}"),
                "segments": tuple(segments),
                "files": {path.name: seal(path) for path in staged.iterdir()},
            }
        )
        write_manifest(manifest, staged / MANIFEST)
        publish(layout, staged, version)
    return manifest
