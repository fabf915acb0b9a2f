"""Do two archive pictures show one picture? Told by their thumbnails, at a glance.

An embedding cannot tell: an encoder that knows classes puts different cells of one class within
0.995 of each other, and a mirrored copy at 0.85 (docs/decisions/0006-decision-support.md).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from coin_retrieval.errors import ImageError
from coin_retrieval.images import load_image
from coin_retrieval.types import ImageRecord, RgbImage

Glance = NDArray[np.float32]
"""float32 [16 16 3] in [0, 255]: the mean colours of a picture's 16 × 16 parts."""

ALIKE = 5.0
"""Mean difference in grey levels below which two glances are of one picture."""

_OF_STRUCTURE = 0.25
"""So much of a picture's own variation at most: two blank fields prove nothing."""

_SIDE = 16
_REMEMBERED = 16_384


class Likeness:
    """Compares pictures of one archive; safe for several threads.

    Args:
        thumbnail: where an image's thumbnail lies; ``None``: only equal contents are the same.
    """

    def __init__(self, thumbnail: Callable[[ImageRecord], Path] | None = None) -> None:
        self._thumbnail = thumbnail
        self._glance = lru_cache(_REMEMBERED)(_read)

    def same(self, first: ImageRecord, second: ImageRecord) -> bool:
        """Whether one is a copy of the other: resized, compressed, turned or mirrored perhaps.

        Without both thumbnails only equal contents are: what is not proved a copy is evidence.
        """
        if first.content_hash == second.content_hash:
            return bool(first.content_hash)
        if self._thumbnail is None:
            return False
        one, other = (self._glance(self._thumbnail(image)) for image in (first, second))
        return one is not None and other is not None and alike(one, other)


def glance(image: RgbImage) -> Glance:
    """A picture at a glance, whatever its size."""
    small = Image.fromarray(image).resize((_SIDE, _SIDE), Image.Resampling.BOX)
    return np.asarray(small, np.float32)


def alike(first: Glance, second: Glance) -> bool:
    """Whether two glances are of one picture, turned or mirrored perhaps."""
    structure = min(_difference(one, one.mean(axis=(0, 1))) for one in (first, second))
    limit = min(ALIKE, _OF_STRUCTURE * structure)
    # no arrangement brings two sets of values nearer than sorting both: rules most pairs out
    ordered = (np.sort(one.reshape(-1, 3), axis=0) for one in (first, second))
    if _difference(*ordered) >= limit:
        return False
    turns = [np.rot90(second, quarter) for quarter in range(4)]
    return any(_difference(first, way) < limit for turn in turns for way in (turn, turn[:, ::-1]))


def _difference(first: Glance, second: Glance) -> float:
    return float(np.abs(first - second).mean())


def _read(path: Path) -> Glance | None:
    try:
        return glance(load_image(path))
    except ImageError:
        return None
