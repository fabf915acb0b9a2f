"""JPEG in and out by libjpeg-turbo itself: in half of Pillow's time, the same pixels.

Pillow's decoder is libjpeg-turbo too: it pays for a copy into its own four bytes a pixel, and for
reading in pieces.
"""

from __future__ import annotations

import re

import numpy as np
import simplejpeg

from coin_retrieval.types import RgbImage

_TURNABLE = (b"Exif\0", b"tiff:Orientation")
"""What a file holds that may say how it is to be turned."""

# ITU-T T.81, table B.1: markers
_START, _END, _MARK, _SCAN = b"\xff\xd8", b"\xff\xd9", 0xFF, 0xDA
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7]")
_OF_PICTURE = (0xC0, 0xC4, 0xDB, 0xDD)
"""Baseline frame, Huffman tables, quantisation, restarts."""

_OF_OTHERS = (*range(0xE0, 0xF0), 0xFE)
"""Applications' segments and comments."""

_JFIF_KIND, _ADOBE_KIND, _ADOBE_BYTES, _COLOURS = 0xE0, 0xEE, 14, 3
_JFIF = b"\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"
"""Both say what the three colours are; JFIF's own preview and density are left out."""


def plain_size(data: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG file of three colours that is looked at as it is.

    ``None`` for any other, also for one that would have to be read closer to tell.
    """
    if not data.startswith(b"\xff\xd8") or any(mark in data for mark in _TURNABLE):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    return (width, height) if colours in ("YCbCr", "RGB") else None


def decode_jpeg(data: bytes, *, scale: int = 1) -> RgbImage | None:
    """Pixels of a JPEG file of three colours, its sides divided by ``scale`` (1, 2, 4 or 8).

    ``None`` for a file that is not whole, or of another kind: Pillow knows what to say of it.
    Divided, a block of 8 × 8 pixels is computed from its low frequencies only, so that a picture
    costs less, and is smoothed as an average would smooth it.
    """
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
        pixels: RgbImage = simplejpeg.decode_jpeg(
            data, min_height=-(-height // scale), min_width=-(-width // scale), min_factor=scale
        )
    except ValueError:
        return None
    return pixels


def bare_jpeg(data: bytes) -> bytes | None:
    """The same picture in the same numbers, without all else that its file says or hides.

    Comments, notes of cameras and programs, colour profiles, previews and what follows the picture
    are left out. ``None`` for other than a plain JPEG file of three colours in one scan.
    """
    if plain_size(data) is None:
        return None
    parts, place = [_START], len(_START)
    while place + 4 <= len(data) and data[place] == _MARK:
        kind, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4])
        end = place + 2 + length
        if kind == _SCAN:
            # within a scan, 0xff that is no marker is followed by zero or counts restarts
            after = _MARKER.search(data, end)
            whole = data[place + 4] == _COLOURS and after is not None and after[0] == _END
            return b"".join([*parts, data[place : after.end()]]) if whole and after else None
        if kind == _JFIF_KIND and data.startswith(b"JFIF\0", place + 4):
            parts.append(_JFIF)
        elif kind in _OF_PICTURE or (kind == _ADOBE_KIND and length == _ADOBE_BYTES):
            parts.append(data[place:end])
        elif kind not in _OF_OTHERS:
            return None
        place = end
    return None


def encode_jpeg(image: RgbImage, *, quality: int = 85) -> bytes:
    """JPEG bytes, for thumbnails only: never for pictures that are measured."""
    pixels = np.ascontiguousarray(image)
    return bytes(simplejpeg.encode_jpeg(pixels, quality=quality, colorsubsampling="420"))
