"""Where on a slide there is anything, seen on its overview."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.types import RgbImage

_BRIGHTEST = 90
_LEAST, _MOST = 10.0, 40.0
"""Between these the threshold is set: below lies the noise of a camera, above no pale cell."""


def tissue(overview: RgbImage) -> NDArray[np.bool_]:
    """Which pixels are not the empty glass, bool [h w].

    The glass is the colour of the brightest tenth; what differs from it in any channel by more than
    Otsu's threshold (1979, doi 10.1109/TSMC.1979.4310076), held within bounds, is something.
    """
    grey = overview.mean(axis=-1)
    glass = np.median(overview[grey >= np.percentile(grey, _BRIGHTEST)], axis=0)
    distance = np.abs(overview - glass).max(axis=-1)
    found: NDArray[np.bool_] = distance > np.clip(_otsu(distance), _LEAST, _MOST)
    return found


def shares(mask: NDArray[np.bool_], boxes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Which share of each box is set, float64 [n]; boxes int64 [n 4]: left, top, right, bottom."""
    sums = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), np.int64)
    sums[1:, 1:] = mask.cumsum(0, dtype=np.int64).cumsum(1)
    left, top, right, bottom = boxes.T
    inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    found: NDArray[np.float64] = inside / ((right - left) * (bottom - top))
    return found


def _otsu(values: NDArray[np.float64]) -> float:
    counts, edges = np.histogram(values, 256, (0, 256))
    below = counts.cumsum()
    above = below[-1] - below
    weighted = (counts * edges[:-1]).cumsum()
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = weighted / below - (weighted[-1] - weighted) / above
        between = np.nan_to_num(below * above * apart**2)
    return float(edges[int(between.argmax())])
