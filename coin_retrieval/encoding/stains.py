"""A laboratory's colours moved to another's, before a picture is embedded.

Each channel's optical densities get the mean and deviation that the other laboratory's have
(Reinhard et al. 2001, doi 10.1109/38.946629), over all pictures of a laboratory together: one map
for all of them, so that what sets a picture apart from the others stays.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

from coin_retrieval.config import StainMap
from coin_retrieval.images.resizing import fit_square
from coin_retrieval.starter import COLOURS
from coin_retrieval.types import RgbImage

SIDE_PX = 128
DENSITIES = -np.log((np.arange(256) + 1.0) / 256.0)
_FLAT = 1e-3


class Colours(BaseModel):
    """Mean and deviation of optical densities (natural logarithm), red, green and blue."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mean: tuple[float, float, float]
    deviation: tuple[float, float, float]


def home_colours() -> dict[str, Colours]:
    """By site, of the pictures that the starter was trained on (``bench/home_colours.py``)."""
    told = json.loads(COLOURS.read_text("utf-8"))
    return {site: Colours.model_validate(one) for site, one in told.items()}


def colours_of(images: Sequence[RgbImage]) -> Colours:
    """Of all pixels of pictures that are shown alike, 128 px wide."""
    dense = DENSITIES[np.stack([fit_square(image, SIDE_PX) for image in images])]
    mean, deviation = dense.mean((0, 1, 2)), dense.std((0, 1, 2))
    return Colours(mean=tuple(mean.tolist()), deviation=tuple(deviation.tolist()))


def stain_map(here: Colours, there: Colours) -> StainMap:
    """What moves ``here`` to ``there``; a channel without any contrast is only shifted."""
    pairs = zip(here.deviation, there.deviation, strict=True)
    gains = [new / old if old > _FLAT else 1.0 for old, new in pairs]
    moved = zip(here.mean, there.mean, gains, strict=True)
    shifts = [new - old * gain for old, new, gain in moved]
    return tuple(round(value, 4) for value in (*gains, *shifts))  # type: ignore[return-value]
