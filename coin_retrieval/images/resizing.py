"""Pictures made smaller, larger or square."""

from __future__ import annotations

import numpy as np
from PIL import Image

from coin_retrieval.types import RgbImage


def fit_square(image: RgbImage, size_px: int, *, max_stretch: float = 1.25) -> RgbImage:
    """Centre-crop until the sides' ratio is at most ``max_stretch``, then resize to a square.

    A little stretching keeps more of an elongated cell than cropping to a square would.
    """
    height, width = image.shape[:2]
    crop_w = min(width, round(height * max_stretch))
    crop_h = min(height, round(width * max_stretch))
    left, top = (width - crop_w) // 2, (height - crop_h) // 2
    return resize(image[top : top + crop_h, left : left + crop_w], size_px, size_px)


def resize(
    image: RgbImage, width_px: int, height_px: int, *, reducing_gap: float | None = None
) -> RgbImage:
    """Antialiased bicubic resize.

    Args:
        reducing_gap: first average down to so many times the size that is wanted: cheaper, for
            what is only looked at.
    """
    if image.shape[:2] == (height_px, width_px):
        return np.ascontiguousarray(image)
    resampled = Image.fromarray(image).resize(
        (width_px, height_px), Image.Resampling.BICUBIC, reducing_gap=reducing_gap
    )
    return np.asarray(resampled, dtype=np.uint8)


def thumbnail(image: RgbImage, side_px: int) -> RgbImage:
    """Shrink so that the longer side is at most ``side_px``; never enlarges."""
    scale = min(1.0, side_px / max(image.shape[:2]))
    height_px, width_px = (max(1, round(side * scale)) for side in image.shape[:2])
    return resize(image, width_px, height_px, reducing_gap=2.0)
