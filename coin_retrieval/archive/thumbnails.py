"""Small pictures of the archive's images, named by content."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence, Set
from itertools import islice
from pathlib import Path

from coin_retrieval.archive.layout import ArchiveLayout
from coin_retrieval.errors import ImageError
from coin_retrieval.files import replace_file
from coin_retrieval.images.decoding import decode_image
from coin_retrieval.images.jpeg import encode_jpeg
from coin_retrieval.images.resizing import thumbnail
from coin_retrieval.types import RgbImage

SIDE_PX = 256
MEDIA_TYPES = {".jpg": "image/jpeg", ".webp": "image/webp"}
"""Of thumbnails, by their suffix."""

_HEAD = 12
_TAIL = 16
_SWEPT_AT_ONCE = 1000


def has_thumbnail(path: Path) -> bool:
    """Whether it is there, and not what a power cut can leave: nothing, a part, zeros at its end.

    A decoder takes such zeros for a picture.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            tail = file.read(_TAIL)
    except FileNotFoundError:
        return False
    if path.suffix == ".webp":
        return any(tail) and head[:4] == b"RIFF" and head[8:] == b"WEBP" and _length(head) == size
    return head[:3] == b"\xff\xd8\xff" and tail[-2:] == b"\xff\xd9"


def is_whole_thumbnail(path: Path) -> bool:
    """Whether it is there and can be decoded."""
    try:
        decode_image(path.read_bytes())
    except (OSError, ImageError):
        return False
    return has_thumbnail(path)


def write_thumbnail(path: Path, image: RgbImage) -> None:
    """Write the thumbnail in one step: it is there as a whole, or not at all.

    One that an earlier program made gives way.
    """
    replace_file(path.with_suffix(".jpg"), encode_jpeg(thumbnail(image, SIDE_PX)))
    if path.suffix != ".jpg":
        path.unlink(missing_ok=True)


def sweep_thumbnails(layout: ArchiveLayout, kept: Callable[[Sequence[str]], Set[str]]) -> int:
    """Delete the thumbnails of all other contents, and partial files; returns how many.

    A picture that was taken out of an archive must not stay behind in it.

    Args:
        kept: which of some contents are in a version.
    """
    removed = 0
    found = layout.thumbnails.glob("*/*")
    while paths := list(islice(found, _SWEPT_AT_ONCE)):
        named = [path.stem for path in paths if path.suffix in MEDIA_TYPES]
        keep = kept(named) if named else frozenset()
        for path in paths:
            if path.suffix not in MEDIA_TYPES or path.stem not in keep:
                path.unlink(missing_ok=True)
                removed += 1
    return removed


def _length(head: bytes) -> int:
    """A RIFF file's length, as its head says it."""
    return 8 + int.from_bytes(head[4:8], "little")
