"""Small pictures of the archive's images, named by content."""

from __future__ import annotations

from collections.abc import Set
from pathlib import Path

from coin_retrieval.archive.layout import ArchiveLayout
from coin_retrieval.files import replace_file
from coin_retrieval.images import encode_webp, thumbnail
from coin_retrieval.types import RgbImage

SIDE_PX = 256


def has_thumbnail(path: Path) -> bool:
    """Whether it is there, and not the empty file that a power cut can leave."""
    try:
        return path.stat().st_size > 0
    except FileNotFoundError:
        return False


def write_thumbnail(path: Path, image: RgbImage) -> None:
    """Write the WebP thumbnail in one step: it is there as a whole, or not at all."""
    replace_file(path, encode_webp(thumbnail(image, SIDE_PX)))


def sweep_thumbnails(layout: ArchiveLayout, keep: Set[str]) -> int:
    """Delete the thumbnails of all other contents, and partial files; returns how many.

    A picture that was taken out of an archive must not stay behind in it.
    """
    removed = 0
    for path in layout.thumbnails.glob("*/*"):
        if path.suffix != ".webp" or path.stem not in keep:
            path.unlink(missing_ok=True)
            removed += 1
    return removed
