"""JPEG in and out by libjpeg-turbo itself: in half of Pillow's time, the same pixels.

Pillow's decoder is libjpeg-turbo too: it pays for a copy into its own four bytes a pixel, and for
reading in pieces.
"""

from __future__ import annotations

import numpy as np
import simplejpeg

from coin_retrieval.types import RgbImage

_TURNABLE = (b"Exif\0", b"tiff:Orientation")
"""What a file holds that may say how it is to be turned."""


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


def encode_jpeg(image: RgbImage, *, quality: int = 85) -> bytes:
    """JPEG bytes, for thumbnails only: never for pictures that are measured."""
    pixels = np.ascontiguousarray(image)
    return bytes(simplejpeg.encode_jpeg(pixels, quality=quality, colorsubsampling="420"))
