"""Cases that leave an archive: for now, or for good."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coin_retrieval.archive import ArchiveLayout, ArchiveManifest
from coin_retrieval.archive.locks import is_held
from coin_retrieval.archive.publish import version_folders
from coin_retrieval.catalog.base import Where
from coin_retrieval.errors import ArchiveCorruptError, InputError, NotFoundError
from coin_retrieval.progress import Progress, silent
from coin_retrieval.types import RowMask
from indexer.changing import changing, clean_up
from indexer.versions.segments_before import ArchiveBefore, open_before
from indexer.versions.without import gone_images, publish_without

WAIT_S = 30.0
"""How long a purge waits for readers of what it deletes."""

_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class RemovalReport:
    """What is gone; ``readers`` are versions that were still read when their files were deleted."""

    manifest: ArchiveManifest
    cases: int
    images: int
    purged: bool
    readers: tuple[str, ...] = ()


def remove(
    root: Path,
    case_ids: Iterable[str] = (),
    *,
    where: Where | None = None,
    purge: bool = False,
    wait_s: float = WAIT_S,
    on: Progress = silent,
) -> RemovalReport:
    """Take cases out of an archive, as its next version.

    They are in no search of it from then on. The versions before have them still, so that
    ``rollback`` brings them back; unless ``purge``: then every version before is deleted, and no
    vector, record, thumbnail or list that names them is left in the archive's folder. Servers go on
    to the new version on their own; those that have not within ``wait_s`` are named.

    Args:
        case_ids: cases to remove.
        where: images to remove: those that fit.

    Raises:
        NotFoundError: no archive there, or none of its cases is called so.
        FilterError: a field that the archive does not have.
        InputError: nothing would be left, or nothing fits.
        ArchiveBusyError, ArchiveError: see :func:`indexer.building.build`.
    """
    wanted = list(dict.fromkeys(case_ids))
    with changing(root) as layout:
        with opened(layout) as before:
            gone = _gone(before, wanted, where or {})
            count = sum(int(np.count_nonzero(mask)) for mask in gone)
            if count == before.images:
                raise InputError(
                    "nothing would be left",
                    value=f"all {count:,} images",
                    expected="an archive with at least one image",
                    remedy="delete the archive's folder instead",
                )
            cases = _cases_without(before, gone)
            on("removing", 0, 1)
            manifest = publish_without(layout, before, gone, cases, purge=purge)
        readers: tuple[str, ...] = ()
        if purge:
            readers = _wait(layout, manifest.version, wait_s)
        clean_up(layout, sweep=purge, held=purge, **({"keep": 1} if purge else {}))
        on("removing", 1, 1)
    return RemovalReport(manifest, len(cases), count, purge, readers)


def compact(root: Path, *, on: Progress = silent) -> ArchiveManifest:
    """Write the archive's segments as few as may be, without what was removed.

    Raises:
        NotFoundError, ArchiveBusyError, ArchiveError: see :func:`remove`.
    """
    with changing(root) as layout:
        with opened(layout) as before:
            on("compacting", 0, 1)
            none = [np.zeros_like(segment.alive) for segment in before.segments]
            every = [segment.entry.folder for segment in before.segments]
            manifest = publish_without(layout, before, none, set(), command="compact", always=every)
        clean_up(layout, sweep=True)
        on("compacting", 1, 1)
    return manifest


def opened(layout: ArchiveLayout, *, thorough: bool = False) -> ArchiveBefore:
    """The published version, whole.

    Raises:
        ArchiveCorruptError: it is not.
    """
    warnings: list[str] = []
    before = open_before(layout, thorough=thorough, warnings=warnings)
    if before.manifest is None or before.spoilt:
        before.close()
        raise ArchiveCorruptError(
            "the archive is not whole", value=warnings[0], remedy="build the archive again"
        )
    return before


def _gone(before: ArchiveBefore, case_ids: Sequence[str], where: Where) -> list[RowMask]:
    """Which rows of each segment go."""
    known = before.catalog.cases(case_ids)
    if missing := [name for name in case_ids if name not in known]:
        raise NotFoundError(
            "no such case",
            value=missing[:5] if len(missing) > 1 else missing[0],
            expected="cases of this archive",
            remedy="nothing was removed; leave out what is not there",
        )
    if where:
        before.catalog.mask(where)  # refuses a field that nothing has
    gone = []
    for segment in before.segments:
        mask = np.zeros_like(segment.alive)
        images = [i for some in segment.catalog.images_of(case_ids).values() for i in some]
        mask[segment.store.rows(np.array([i.image_id for i in images], np.int64))] = True
        if where and set(where) <= set(segment.catalog.fields()):
            mask |= segment.catalog.mask(where)
        gone.append(mask)
    if not any(mask.any() for mask in gone):
        raise InputError(
            "nothing to remove", value=dict(where) or None, expected="cases or a filter that fits"
        )
    return gone


def _cases_without(before: ArchiveBefore, gone: Sequence[RowMask]) -> set[str]:
    """Cases of which no image is left."""
    removed: dict[str, int] = {}
    for image in gone_images(before, gone):
        removed[image.case_id] = removed.get(image.case_id, 0) + 1
    there = before.catalog.images_of(removed)
    return {case_id for case_id, count in removed.items() if count == len(there[case_id])}


def _wait(layout: ArchiveLayout, version: str, wait_s: float) -> tuple[str, ...]:
    """Wait until nobody reads another version; those that are read still."""
    others = [path for path in version_folders(layout) if path.name != version]
    until = time.monotonic() + wait_s
    while held := [path.name for path in others if is_held(layout, path)]:
        if time.monotonic() > until:
            break
        time.sleep(_LOOK_S)
    return tuple(sorted(held))
