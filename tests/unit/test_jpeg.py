"""Whoever decodes a JPEG, Pillow or we, its pixels are the same."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from coin_retrieval.jpeg import bare_jpeg, decode_jpeg, encode_jpeg

SMOOTH = np.random.default_rng(0).integers(0, 256, (9, 13, 3), np.uint8)


@pytest.mark.parametrize(
    "options",
    [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 1}, {"keep_rgb": True}],
)
@pytest.mark.parametrize("scale", [1, 2, 4, 8])
@pytest.mark.parametrize("size", [(160, 128), (163, 121)])
def test_pixels_are_those_that_pillow_gives(
    options: dict[str, Any], scale: int, size: tuple[int, int]
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(SMOOTH).resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", **options)
    with Image.open(buffer) as image:
        image.draft("", (image.width // scale, image.height // scale))
        np.testing.assert_array_equal(
            decode_jpeg(buffer.getvalue(), scale=scale), np.asarray(image.convert("RGB"))
        )


@pytest.mark.parametrize("kept", [0, 20, 0.5, -1])
def test_of_a_file_that_is_not_whole_there_are_no_pixels(kept: float) -> None:
    data = encode_jpeg(np.repeat(SMOOTH, 20, 0))
    end = int(kept * len(data)) if 0 < kept < 1 else int(kept)
    assert decode_jpeg(data[:end]) is None
    assert decode_jpeg(data[:end], scale=2) is None


def test_a_jpeg_is_of_the_quality_asked_for() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert encode_jpeg(noise) == encode_jpeg(noise, quality=85)
    assert len(encode_jpeg(noise, quality=20)) < len(encode_jpeg(noise))


def _jpeg(side_px: int = 64, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture = Image.fromarray(SMOOTH).resize((side_px, side_px), Image.Resampling.BICUBIC)
    picture.save(buffer, "JPEG", **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "options", [{}, {"subsampling": 0}, {"optimize": True}, {"keep_rgb": True}]
)
def test_a_bare_jpeg_is_the_same_picture_and_says_nothing_else(options: dict[str, Any]) -> None:
    secrets = {"comment": b"Jane Doe", "icc_profile": b"Jane Doe", "xmp": b"Jane Doe"}
    data = _jpeg(**secrets, **options) + b"Jane Doe"
    assert data.count(b"Jane Doe") == 4
    bare = bare_jpeg(data)
    assert bare is not None
    assert b"Jane" not in bare
    assert len(bare) <= len(_jpeg(**options))
    np.testing.assert_array_equal(decode_jpeg(bare), decode_jpeg(data))
    assert bare_jpeg(bare) == bare
    with Image.open(io.BytesIO(bare)) as image, Image.open(io.BytesIO(data)) as before:
        np.testing.assert_array_equal(np.asarray(image), np.asarray(before))


def test_a_preview_in_the_first_segment_is_left_out() -> None:
    data = _jpeg()
    preview = data[:4] + (16 + 3).to_bytes(2) + data[6:18] + b"\x01\x01" + b"\x77" * 3 + data[20:]
    np.testing.assert_array_equal(decode_jpeg(preview), decode_jpeg(data))
    assert bare_jpeg(preview) == bare_jpeg(data)


def test_a_jpeg_of_another_kind_or_not_whole_is_not_made_bare() -> None:
    data = _jpeg()
    turned = Image.Exif()
    turned[0x0112] = 6
    grey = io.BytesIO()
    Image.fromarray(SMOOTH[..., 0]).save(grey, "JPEG")
    other = (
        _jpeg(progressive=True),
        _jpeg(exif=turned),
        grey.getvalue(),
        data[:-2],
        data[: len(data) // 2],
        data[:10],
        b"",
        b"\x89PNG",
    )
    assert [bare_jpeg(some) for some in other] == [None] * len(other)
