"""Thumbnails that were lost or spoilt, made again from the pictures where they lie."""

from __future__ import annotations

from pathlib import Path

from coin_retrieval.archive.thumbnails import is_whole_thumbnail, write_thumbnail
from coin_retrieval.archive.verify import records
from coin_retrieval.errors import (
    ImageError,
    MissingDependencyError,
    NotFoundError,
    UnsupportedError,
)
from coin_retrieval.factory import open_archive
from indexer.changing import changing


def repair_thumbnails(root: Path) -> int:
    """Returns how many were made; of pictures that are gone or have changed none is.

    Raises:
        NotFoundError, ArchiveCorruptError: no archive there, or it is not whole.
        ArchiveBusyError, ArchiveError: another process changes it; it may not be written.
    """
    made = 0
    with changing(root), open_archive(root) as archive:
        for image in records(archive):
            path = archive.thumbnail_path(image)
            if is_whole_thumbnail(path):
                continue
            try:
                write_thumbnail(path, archive.picture(image))
                if archive.remote is not None:
                    archive.remote.files.put("thumbnails", image.content_hash, path.read_bytes())
                made += 1
            except (ImageError, NotFoundError, UnsupportedError, MissingDependencyError):
                continue
    return made
