"""How an encoder is shown an archive's real pictures: colours moved, field wider or narrower.

Drawn pictures are what the encoder knows already, and are shown as they are.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.config import StainMap
from coin_retrieval.encoding.stains import DENSITIES
from coin_retrieval.types import RgbImage


def shown(image: RgbImage, stain_map: StainMap | None, margin: float = 0.0) -> RgbImage:
    """The picture as the network shall see it, uint8 [h w 3].

    Args:
        stain_map: how optical densities are scaled and shifted.
        margin: the share of each side by which the edge is repeated outwards or, below 0, cut off.
    """
    if image.ndim != 3:
        return image  # what is no picture is refused later
    return _framed(image if stain_map is None else _moved(image, stain_map), margin)


def how_shown(stain_map: StainMap | None, margin: float = 0.0) -> str:
    """What :func:`shown` does, for people; nothing, if pictures are shown as they are."""
    field = f"{abs(margin):.0%} of their side {'added' if margin > 0 else 'cut off'} at each edge"
    told = ("their colours moved to home's" if stain_map else "", field if margin else "")
    return " and ".join(filter(None, told))


def _moved(image: RgbImage, change: StainMap) -> RgbImage:
    table = _table(change)
    return np.stack([table[channel][image[..., channel]] for channel in range(3)], axis=-1)


@lru_cache(maxsize=16)
def _table(change: StainMap) -> NDArray[np.uint8]:
    gains, shifts = np.array(change[:3])[:, None], np.array(change[3:])[:, None]
    grey = np.exp(-(DENSITIES * gains + shifts)) * 256 - 1
    table: NDArray[np.uint8] = grey.round().clip(0, 255).astype(np.uint8)
    return table


def _framed(image: RgbImage, margin: float) -> RgbImage:
    if margin < 0:
        top, left = (round(-margin * side) for side in image.shape[:2])
        return image[top : image.shape[0] - top, left : image.shape[1] - left]
    width = round(margin * max(image.shape[:2]))
    return np.pad(image, ((width, width), (width, width), (0, 0)), mode="edge") if width else image
