"""Bytes to pictures: decoded under size caps, hashed.

Everything that enters the system passes :func:`decode_image` or, from Python, :func:`as_rgb`, so
what a picture may be is decided once: any common file format and mode, one frame, at most
:data:`MAX_PIXELS` decoded pixels, and no larger than any encoder needs (:data:`ENOUGH_PX`).
"""

from __future__ import annotations

import hashlib
import io
import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from coin_retrieval.errors import ImageError
from coin_retrieval.images.jpeg import decode_jpeg, plain_size
from coin_retrieval.types import RgbImage

ENOUGH_PX = 768
"""A picture of which a half, a quarter or an eighth still has this shorter side is decoded so.

Archive and query alike. That turns an embedding by less than half precision does: a cosine of
0.9998 at 3.4 times an encoder's input, 0.998 at 1.7 times (histology, the starter's encoder).
"""

MAX_PIXELS = 100_000_000
MAX_BYTES = 256 * 1024 * 1024
FORMATS = ("JPEG", "PNG", "TIFF", "WEBP", "BMP", "GIF")
ImageLike: TypeAlias = str | PathLike[str] | bytes | Image.Image | NDArray[Any]
"""A file's path, its bytes, a Pillow image, or an array [h w], [h w 3] or [h w 4]."""
Room: TypeAlias = Callable[[int], AbstractContextManager[Any]]
"""Entered with a number of pixels before so many are decoded; may make its caller wait."""

_STRIP_ROWS = 64
_SIDEWAYS = (5, 6, 7, 8)
"""Values of the EXIF orientation that exchange width and height."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp", ".gif"})


def content_hash(data: bytes) -> str:
    """SHA-256 (hex) of a file's bytes: the identity of an image's content."""
    return hashlib.sha256(data).hexdigest()


class Decoded(NamedTuple):
    """A picture's pixels, and the width and the height that its file says, as it is looked at."""

    image: RgbImage
    size_px: tuple[int, int]


def decode_image(
    data: bytes, *, name: str = "image", max_pixels: int = MAX_PIXELS, whole: bool = False
) -> RgbImage:
    """Decode a file's bytes to uint8 [h w 3] sRGB; of an animation, the first frame.

    EXIF orientation is applied, transparency is laid over white, CMYK and 16-bit pictures are
    converted (16-bit by its own range when it uses less than the full one). Large pictures come
    smaller (:data:`ENOUGH_PX`), unless ``whole``.

    Raises:
        ImageError: not a known format, truncated, or more than ``max_pixels`` (a decompression
            bomb is refused from its header, before any pixel is decoded).
    """
    return decode_sized(data, name=name, max_pixels=max_pixels, whole=whole).image


def decode_sized(
    data: bytes,
    *,
    name: str = "image",
    max_pixels: int = MAX_PIXELS,
    whole: bool = False,
    room: Room = nullcontext,
) -> Decoded:
    """As :func:`decode_image`, with the picture's own size.

    Args:
        room: entered before anything is decoded.

    Raises:
        ImageError: see :func:`decode_image`.
    """
    if len(data) > MAX_BYTES:
        raise ImageError(
            f"{name} is too large a file",
            value=f"{len(data)} bytes",
            expected=f"at most {MAX_BYTES} bytes",
            remedy="export a smaller region",
        )
    # most pictures are no more than this, and Pillow takes half as long to look as to decode
    if (size := plain_size(data)) is not None:
        _refuse_bomb(size, name, max_pixels)
        with room(size[0] * size[1]):
            pixels = decode_jpeg(data, scale=1 if whole else _shrunk(size))
        if pixels is not None:
            return Decoded(pixels, size)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _refuse_bomb(image.size, name, max_pixels)
                with room(image.width * image.height):
                    return _decoded(image, data, whole=whole)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:
        # Pillow has a limit of its own and refuses before the size can be asked
        raise _too_many_pixels(str(error), name, max_pixels) from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error) as error:
        # Pillow names the object that it was given, by its address
        unknown = isinstance(error, UnidentifiedImageError)
        raise ImageError(
            f"{name} cannot be decoded ({'no picture' if unknown else error})",
            value=f"{len(data)} bytes",
            expected="a whole " + ", ".join(FORMATS) + " file",
            remedy="export the image again, or leave it out",
        ) from error


def enough_of(image: RgbImage, *, whole: bool = False) -> Decoded:
    """Pixels that came otherwise than from a file, as many as :func:`decode_image` gives."""
    by = 1 if whole else _shrunk(image.shape[:2])
    small = image if by == 1 else np.asarray(Image.fromarray(image).reduce(by))
    return Decoded(small, image.shape[1::-1])


def load_image(path: Path) -> RgbImage:
    """:func:`decode_image` of a file.

    Raises:
        ImageError: the file is missing, unreadable or not an image.
    """
    return decode_image(read_bytes(path), name=str(path))


def read_bytes(path: Path) -> bytes:
    """A file's bytes.

    Raises:
        ImageError: the file is missing or unreadable.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(
            "image file cannot be read",
            value=str(path),
            expected="an existing, readable file",
            remedy=f"check the path and its permissions ({error.strerror})",
        ) from error


def as_rgb(image: ImageLike) -> RgbImage:
    """A picture, however it is held in Python, as :func:`decode_image` gives it.

    Arrays are uint8; a greyscale one may also be uint16.

    Raises:
        ImageError: none of these, or it cannot be decoded.
    """
    if isinstance(image, str | PathLike):
        return load_image(Path(image))
    if isinstance(image, bytes):
        return decode_image(image)
    try:
        held = image if isinstance(image, Image.Image) else Image.fromarray(_checked(image))
        _refuse_bomb(held.size, "the picture", MAX_PIXELS)
        return _to_rgb(held, _shrunk(held.size))
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(
            f"the picture cannot be decoded ({error})", expected="a whole picture"
        ) from error


def _checked(image: Any) -> NDArray[Any]:
    """An array that Pillow takes as it is meant."""
    array = np.asarray(image) if hasattr(image, "__array__") else None
    if array is None:
        raise ImageError(
            "not a picture",
            value=type(image).__name__,
            expected="a path, a file's bytes, a Pillow image or a uint8 array [height width 3]",
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    grey = array.ndim == 2 and array.dtype in (np.uint8, np.uint16)
    coloured = array.ndim == 3 and array.shape[2] in (3, 4) and array.dtype == np.uint8
    if grey or (coloured and array.size):
        return array
    raise ImageError(
        "not an array of a picture",
        value=f"{array.dtype} {list(array.shape)}",
        expected="uint8 [height width 3] in 0 to 255 (or [height width], or RGBA)",
        remedy="values from 0 to 1: (255 * x).round().astype('uint8'); "
        "channels first: np.moveaxis(x, 0, -1)",
    )


def _refuse_bomb(size: tuple[int, int], name: str, max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise _too_many_pixels(f"{size[0]} × {size[1]}", name, max_pixels)


def _too_many_pixels(value: str, name: str, max_pixels: int) -> ImageError:
    return ImageError(
        f"{name} has too many pixels",
        value=value,
        expected=f"at most {max_pixels:,} pixels",
        remedy="export a region or a lower magnification",
    )


def _decoded(image: Image.Image, data: bytes, *, whole: bool) -> Decoded:
    turn = image.getexif().get(ExifTags.Base.Orientation, 1)
    size = image.size[::-1] if turn in _SIDEWAYS else image.size
    shrunk = 1 if whole else _shrunk(image.size)
    if image.format == "JPEG":
        if image.mode == "RGB" and turn == 1:
            pixels = decode_jpeg(data, scale=shrunk)
            if pixels is not None:
                return Decoded(pixels, size)
        image.draft("", (image.width // shrunk, image.height // shrunk))
        shrunk = 1
    image.seek(0)
    return Decoded(_to_rgb(image, shrunk), size)


def _shrunk(size: tuple[int, int]) -> int:
    """By how much a picture's sides are divided."""
    return next((by for by in (8, 4, 2) if min(size) // by >= ENOUGH_PX), 1)


def _to_rgb(image: Image.Image, shrunk: int) -> RgbImage:
    # without an orientation the picture would be copied
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    oriented = ImageOps.exif_transpose(image) if turned else image
    if oriented.mode.startswith("I") or oriented.mode == "F":
        deep = _from_deep(np.asarray(oriented))
        return deep if shrunk == 1 else np.asarray(Image.fromarray(deep).reduce(shrunk))
    if oriented.mode in ("RGBA", "LA", "PA") or "transparency" in oriented.info:
        rgba = oriented.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        oriented = Image.alpha_composite(white, rgba)
    rgb = oriented.convert("RGB")
    return np.asarray(rgb if shrunk == 1 else rgb.reduce(shrunk), dtype=np.uint8)


def _from_deep(values: np.ndarray) -> RgbImage:
    """16- and 32-bit greyscale to 8 bits: a full-range picture by its top byte, others by range."""
    top = max((_finite(strip).max() for strip in _strips(values)), default=0.0)
    scale = 65535.0 if top > 4095 else 4095.0 if top > 255 else 255.0
    rgb = np.empty((*values.shape, 3), np.uint8)
    for strip, out in zip(_strips(values), _strips(rgb), strict=True):
        out[:] = np.clip(_finite(strip) / max(scale, top) * 255.0, 0, 255).astype(np.uint8)[
            ..., None
        ]
    return rgb


def _strips(rows: np.ndarray) -> Iterator[np.ndarray]:
    """A picture a few rows at a time: eight bytes a pixel of all of it would be a lot."""
    return (rows[at : at + _STRIP_ROWS] for at in range(0, len(rows), _STRIP_ROWS))


def _finite(values: np.ndarray) -> NDArray[np.float64]:
    deep = values.astype(np.float64)
    return np.where(np.isfinite(deep), deep, 0.0)
