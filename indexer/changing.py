"""A change of an archive: under its lock, its errors in words, and nothing left lying about."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from coin_retrieval.archive import ArchiveLayout, ArchiveManifest
from coin_retrieval.archive.layout import MANIFEST
from coin_retrieval.archive.locks import building
from coin_retrieval.archive.manifest import Segment, read_manifest
from coin_retrieval.archive.opening import open_layout
from coin_retrieval.archive.publish import KEPT_VERSIONS, prune, sweep_unfinished, version_folders
from coin_retrieval.archive.segments import alive_rows
from coin_retrieval.archive.thumbnails import sweep_thumbnails
from coin_retrieval.catalog.joined import JoinedCatalog
from coin_retrieval.errors import ArchiveError, InputError
from coin_retrieval.factory import drop_others
from coin_retrieval.types import RowMask
from indexer.versions.sealed_work import sealed_segments
from indexer.versions.segments_before import open_segment

_OWN = frozenset(
    (
        *("CURRENT", "versions", "segments", "thumbnails", "work", "lock", "runs"),
        *("archive.yaml", "mirrored.json"),  # a mirror's
    )
)


@contextmanager
def changing(root: Path, *, new: bool = False) -> Iterator[ArchiveLayout]:
    """Hold an archive for a change.

    Args:
        new: whether there may be none yet.

    Raises:
        NotFoundError: there is none.
        InputError: the folder holds something else.
        ArchiveBusyError: another process changes it.
        ArchiveError: it may not be written, or the disk is full.
    """
    layout = open_layout(root)
    if layout.remote is not None and new:
        layout.remote.versions.prepare()
    if new:
        refuse_foreign_folder(layout.root)
    else:
        layout.published()
    try:
        with building(layout):
            sweep_unfinished(layout)
            sweep_servers(layout)
            yield layout
    except OSError as error:
        raise ArchiveError(
            f"the archive cannot be written ({error.strerror or error})",
            value=str(error.filename or root),
            expected="a writable folder with enough space",
            remedy="make space or choose another folder; the same command resumes the build",
        ) from error


def refuse_foreign_folder(root: Path) -> None:
    """An archive is written into a new or an empty folder, or over an archive; over nothing else.

    Raises:
        InputError: a file, or a folder with something else in it.
    """
    if root.is_dir():
        foreign = sorted(path.name for path in root.iterdir() if path.name not in _OWN)
        layout = ArchiveLayout(root)
        if foreign and not (layout.current.exists() or layout.versions.is_dir()):
            raise InputError(
                "the folder holds something else",
                value=f"{root} with {', '.join(foreign[:3])}",
                expected="a new or an empty folder, or an archive",
                remedy="name another folder for the archive",
            )
    elif root.exists() or root.is_symlink():
        raise InputError(
            "the archive's place is taken by a file",
            value=str(root),
            expected="a new or an empty folder, or an archive",
        )


def clean_up(
    layout: ArchiveLayout, *, sweep: bool, keep: int = KEPT_VERSIONS, held: bool = False
) -> None:
    """After a version is published: old versions, work that is done, thumbnails nobody has.

    Args:
        sweep: look through all thumbnails, which takes a while where they are many.
        keep: how many versions.
        held: delete versions that somebody reads, too.
    """
    prune(layout, keep=keep, held=held)
    shutil.rmtree(layout.work, ignore_errors=True)
    sweep_servers(layout)
    if not sweep:
        return
    manifests = []
    for version in version_folders(layout):
        try:
            manifests.append(read_manifest(version / MANIFEST))
        except ArchiveError:
            return  # what it held cannot be told
    with JoinedCatalog(
        [
            open_segment(layout, manifest, entry, alive)[1]
            for manifest, entry, alive in _living_anywhere(layout, manifests)
        ]
    ) as catalog:

        def kept(contents: Sequence[str]) -> set[str]:
            return {image.content_hash for image in catalog.of_contents(contents)}

        sweep_thumbnails(layout, kept)
        if layout.remote is not None:
            layout.remote.files.sweep(kept)


def sweep_servers(layout: ArchiveLayout) -> None:
    """Delete what lies on an archive's servers and is in no version, nor work of a build here."""
    if layout.remote is None:
        return
    named: list[Segment] = [*sealed_segments(layout)]
    for version in version_folders(layout):
        named += read_manifest(version / MANIFEST).segments
    drop_others(
        layout.remote.store,
        layout.remote.catalog,
        stores=[segment.store for segment in named],
        catalogs=[segment.catalog for segment in named],
    )


def _living_anywhere(
    layout: ArchiveLayout, manifests: Sequence[ArchiveManifest]
) -> Iterator[tuple[ArchiveManifest, Segment, RowMask | None]]:
    """Every segment once, with the rows that any version has."""
    named: dict[str, tuple[ArchiveManifest, Segment]] = {}
    living: dict[str, RowMask] = {}
    for manifest in manifests:
        for entry in manifest.segments:
            alive = alive_rows(layout.version(manifest.version), entry)
            here = np.ones(entry.rows, np.bool_) if alive is None else alive
            named[entry.folder] = (manifest, entry)
            living[entry.folder] = here | living.get(entry.folder, False)
    for folder, (manifest, entry) in named.items():
        alive = living[folder]
        yield manifest, entry, None if alive.all() else alive
