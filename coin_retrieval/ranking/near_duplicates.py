"""Do two archive pictures show one picture? Told by their thumbnails, at a glance.

An embedding cannot tell: an encoder that knows classes puts different cells of one class within
0.995 of each other, and a mirrored copy at 0.85 (docs/decisions/0006-decision-support.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from coin_retrieval.errors import ImageError
from coin_retrieval.images import load_image
from coin_retrieval.types import ImageRecord, RgbImage

ALIKE = 5.0
"""Mean difference in grey levels below which two glances are of one picture."""

_OF_STRUCTURE = 0.25
"""So much of a picture's own variation at most: two blank fields prove nothing."""

_SHAPE = 0.05
"""So much may rounding change the sides' ratio of a copy; others need not be looked at."""

_SIDE = 16
_REMEMBERED = 16_384


@dataclass(frozen=True, slots=True)
class Glance:
    """A picture at a glance: ``colours`` float32 [16 16 3] in [0, 255], the means of its parts.

    ``ordered`` float32 [256 3] are the same, sorted; ``structure`` is their mean difference from
    the picture's one mean colour.
    """

    colours: NDArray[np.float32]
    ordered: NDArray[np.float32]
    structure: float


class Likeness:
    """Compares pictures of one archive; safe for several threads.

    Args:
        thumbnail: where an image's thumbnail lies; ``None``: only equal contents are the same.
    """

    def __init__(self, thumbnail: Callable[[ImageRecord], Path] | None = None) -> None:
        self._thumbnail = thumbnail
        self._glances: dict[str, Glance | None] = {}

    def same(self, first: ImageRecord, second: ImageRecord) -> bool:
        """Whether one is a copy of the other: resized, compressed, turned or mirrored perhaps.

        Without both thumbnails only equal contents are: what is not proved a copy is evidence.
        """
        if first.content_hash == second.content_hash:
            return bool(first.content_hash)
        if self._thumbnail is None or abs(_aspect(first) / _aspect(second) - 1) > _SHAPE:
            return False
        one, other = self._glance(first), self._glance(second)
        return one is not None and other is not None and alike(one, other)

    def _glance(self, image: ImageRecord) -> Glance | None:
        if image.content_hash not in self._glances and self._thumbnail is not None:
            if len(self._glances) >= _REMEMBERED:
                self._glances = {}
            self._glances[image.content_hash] = _read(self._thumbnail(image))
        return self._glances.get(image.content_hash)


def glance(image: RgbImage) -> Glance:
    """A picture at a glance, whatever its size."""
    small = Image.fromarray(image).resize((_SIDE, _SIDE), Image.Resampling.BOX)
    colours = np.asarray(small, np.float32)
    return Glance(
        colours,
        np.sort(colours.reshape(-1, 3), axis=0),
        _difference(colours, colours.mean(axis=(0, 1))),
    )


def alike(first: Glance, second: Glance) -> bool:
    """Whether two glances are of one picture, turned or mirrored perhaps."""
    limit = min(ALIKE, _OF_STRUCTURE * min(first.structure, second.structure))
    # no arrangement brings two sets of values nearer than sorting both: rules most pairs out
    if _difference(first.ordered, second.ordered) >= limit:
        return False
    turns = [np.rot90(second.colours, quarter) for quarter in range(4)]
    ways = (way for turn in turns for way in (turn, turn[:, ::-1]))
    return any(_difference(first.colours, way) < limit for way in ways)


def _difference(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(np.abs(first - second).mean())


def _aspect(image: ImageRecord) -> float:
    """The longer side over the shorter: a copy's is the same however it was turned or resized."""
    return max(image.width_px, image.height_px) / min(image.width_px, image.height_px)


def _read(path: Path) -> Glance | None:
    try:
        return glance(load_image(path))
    except ImageError:
        return None
