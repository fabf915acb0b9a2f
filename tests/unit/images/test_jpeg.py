"""Whoever decodes a JPEG, Pillow or we, its pixels are the same."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from coin_retrieval.images.jpeg import decode_jpeg, encode_jpeg

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
