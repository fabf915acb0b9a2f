"""Tiles that show nothing, or nothing sharp.

The thresholds were set on real pictures by `bench/tile_filters.py`: docs/sources.md has the table.
"""

from __future__ import annotations

import numpy as np

from coin_retrieval.types import RgbImage

_PARTS = (0.1, 99.9)
"""Percentiles, so that one cell of a thousandth of the tile counts, and a hot pixel does not."""


def unfit(image: RgbImage, *, min_contrast: float, min_sharpness: float) -> str:
    """Why a tile shall be left out; empty where it shall not.

    Contrast is the range of its grey levels, sharpness the strongest Laplacian as a share of it.
    """
    contrast, sharpness = contrast_and_sharpness(image)
    if contrast < min_contrast:
        return f"blank: a contrast of {contrast:.0f} grey levels, of {min_contrast:.0f} at least"
    if sharpness < min_sharpness:
        return f"out of focus: a sharpness of {sharpness:.2f}, of {min_sharpness:.2f} at least"
    return ""


def contrast_and_sharpness(image: RgbImage) -> tuple[float, float]:
    """Of uint8 [h w 3], in grey levels and as a share of the contrast."""
    grey = image.mean(axis=-1, dtype=np.float32)
    low, high = np.percentile(grey, _PARTS)
    contrast = float(high - low)
    if min(grey.shape) < 3 or contrast == 0:
        return contrast, 0.0
    inner = 4 * grey[1:-1, 1:-1]
    around = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:]
    edges = np.abs(inner - around)
    return contrast, float(np.percentile(edges, _PARTS[1])) / contrast
