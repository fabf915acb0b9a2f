from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from coin_retrieval.errors import ImageError
from coin_retrieval.images import decode_image, encode_png, load_image

RED = np.broadcast_to(np.array([200, 30, 40], np.uint8), (12, 20, 3))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)
    return buffer.getvalue()


def bomb(side_px: int) -> bytes:
    """A few hundred bytes that claim to be ``side_px`` square."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", side_px, side_px, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"\0" * 1000)
    parts = [chunk(b"IHDR", header), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(kind: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    data = encoded(Image.fromarray(noise), kind)
    with pytest.raises(ImageError, match="cannot be decoded"):
        decode_image(data[: int(kept * len(data))])


@pytest.mark.parametrize("side_px", [11_000, 20_000, 65_000])
def test_a_decompression_bomb_is_refused_from_its_header(side_px: int) -> None:
    with pytest.raises(ImageError, match=r"too many pixels.*export a region"):
        decode_image(bomb(side_px))


@pytest.mark.parametrize("data", [b"", b"not a picture", b"%PDF-1.7\n", b"<svg/>"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match="JPEG, PNG"):
        decode_image(data)


def test_a_cmyk_picture_becomes_rgb() -> None:
    picture = decode_image(encoded(Image.fromarray(RED).convert("CMYK"), "JPEG", quality=95))
    assert picture.shape == RED.shape
    assert np.abs(picture.astype(int) - RED).max() < 20


@pytest.mark.parametrize("top", [65535, 4095, 255])
def test_a_16_bit_picture_keeps_its_range(top: int) -> None:
    ramp = np.linspace(0, top, 256).astype(np.uint16)[None].repeat(4, 0)
    picture = decode_image(encoded(Image.fromarray(ramp), "PNG"))
    assert picture.shape == (4, 256, 3)
    np.testing.assert_allclose(picture[0, :, 0], np.arange(256), atol=1)


def test_of_an_animation_the_first_frame_is_taken() -> None:
    frames = [Image.fromarray(np.full((8, 8, 3), value, np.uint8)) for value in (10, 200)]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert decode_image(data).max() == 10


def test_transparency_lies_over_white() -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert decode_image(encoded(clear, "PNG")).min() == 255


def test_the_cameras_orientation_is_applied() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(Image.fromarray(RED), "JPEG", exif=exif)
    assert decode_image(data).shape == (20, 12, 3)


def test_a_missing_file_is_told_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"absent\.png"):
        load_image(tmp_path / "absent.png")


def test_png_text_survives_in_any_script() -> None:
    with Image.open(io.BytesIO(encode_png(RED, text={"report": "Kerne ≈ 宫颈"}))) as image:
        assert image.info["report"] == "Kerne ≈ 宫颈"
