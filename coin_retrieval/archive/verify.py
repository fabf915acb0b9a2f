"""Is an archive whole? Everything that can be checked without embedding again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy as np

from coin_retrieval.archive.archive import Archive
from coin_retrieval.archive.layout import ArchiveLayout
from coin_retrieval.archive.manifest import seal, sealed_files
from coin_retrieval.archive.thumbnails import is_whole_thumbnail
from coin_retrieval.images.containers.urls import is_readable
from coin_retrieval.types import ImageId, ImageRecord

_BLOCK = 4096
_UNIT_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be; a warning does not make answers wrong."""

    severity: Literal["error", "warning"]
    subject: str
    problem: str


def verify(archive: Archive) -> list[Finding]:
    """Checksums, ids, norms, counts, thumbnails, and whether the pictures are still readable."""
    return [
        *_files(archive),
        *_ids(archive),
        *_norms(archive),
        *_counts(archive),
        *_pictures(archive),
    ]


def _files(archive: Archive) -> Iterator[Finding]:
    for name, path, sealed in sealed_files(ArchiveLayout(archive.root), archive.manifest):
        if not path.is_file():
            yield Finding("error", name, "the file is missing")
        elif seal(path) != sealed:
            yield Finding("error", name, "the checksum does not hold")


def _ids(archive: Archive) -> Iterator[Finding]:
    stored = archive.store.ids()
    recorded = archive.catalog.select({})
    for lost, problem in (
        (np.setdiff1d(stored, recorded), "vectors without a record"),
        (np.setdiff1d(recorded, stored), "records without a vector"),
    ):
        if len(lost):
            yield Finding("error", "ids", f"{len(lost)} {problem}, e.g. {lost[:3].tolist()}")
    living = archive.catalog.ids()[archive.catalog.alive()]
    if not np.array_equal(living, stored) and np.array_equal(np.sort(living), np.sort(stored)):
        yield Finding("error", "rows", "vectors and records stand in another order")


def _norms(archive: Archive) -> Iterator[Finding]:
    if archive.store.dim != archive.manifest.encoder.dim:
        yield Finding("error", "vectors", f"{archive.store.dim}-d, not the encoder's width")
    ids = archive.store.ids()
    bent = 0
    for start in range(0, len(ids), _BLOCK):
        norms = np.linalg.norm(archive.store.vectors(ids[start : start + _BLOCK]), axis=1)
        # written so that NaN counts as bent
        bent += int(np.sum(~(np.abs(norms - 1) < _UNIT_TOLERANCE)))
    if bent:
        yield Finding("error", "vectors", f"{bent} rows are not of L2 norm 1")


def _counts(archive: Archive) -> Iterator[Finding]:
    cases, images = archive.catalog.counts()
    said = archive.manifest.counts
    if (cases, images) != (said.cases, said.images):
        yield Finding(
            "error",
            "counts",
            f"{cases} cases and {images} images, the manifest says {said.cases} and {said.images}",
        )


def _pictures(archive: Archive) -> Iterator[Finding]:
    for image in records(archive):
        if not is_whole_thumbnail(archive.thumbnail_path(image)):
            yield Finding("error", f"image {image.image_id}", "the thumbnail is missing or spoilt")
        path = archive.image_path(image)
        if not is_readable(path):
            yield Finding(
                "warning", f"image {image.image_id}", f"the picture is not readable: {path}"
            )


def records(archive: Archive) -> Iterator[ImageRecord]:
    """All images, a block at a time."""
    ids = iter(archive.catalog.select({}).tolist())
    while some := [ImageId(i) for i in islice(ids, _BLOCK)]:
        yield from archive.catalog.images(some).values()
