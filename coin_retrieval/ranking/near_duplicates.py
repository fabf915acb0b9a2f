"""Do two archive pictures show the same cells? Told by their thumbnails, at a glance.

Copies do, and fields of a slide that overlap.

An embedding cannot tell: an encoder that knows classes puts different cells of one class within
0.995 of each other, and a mirrored copy at 0.85 (docs/decisions/0006-decision-support.md).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from coin_retrieval.errors import ImageError
from coin_retrieval.images.decoding import load_image
from coin_retrieval.types import ImageRecord, RgbImage

ALIKE = 5.0
"""Mean difference in grey levels below which two glances are of one picture."""

_OF_STRUCTURE = 0.25
"""So much of a picture's own variation at most: two blank fields prove nothing."""

_SHAPE = 0.05
"""So much may rounding change the sides' ratio of a copy; others need not be looked at."""

OVERLAPPING = 0.75
"""Correlation of the finer structure in what two fields would share, from which on they do.

Crops of one field that share 30 to 70 % of it: 0.89 or more in 95 of 100; 1,296 pairs of different
pictures of one diagnosis (blood, cervix, CSF, brain): at most 0.55. Of the starter's data, by hand.
"""

_SHARED = 0.2
"""So much of a field must be shared at least: less proves nothing."""
_FIELD_PX = 128
"""Shorter pictures are single cells, cut out one by one: they overlap no other."""
_DETAIL_SIDE = 64
_BLUR = 3
_CORRELATED = (2 * _DETAIL_SIDE, 2 * _DETAIL_SIDE)
"""So large that no field meets itself again from the other side."""

_SIDE = 16
_REMEMBERED = 1024
_PAIRS_REMEMBERED = 65_536


@dataclass(frozen=True, slots=True)
class Glance:
    """A picture at a glance: ``colours`` float32 [16 16 3] in [0, 255], the means of its parts.

    ``ordered`` float32 [256 3] are the same, sorted; ``structure`` is their mean difference from
    the picture's one ``mean`` colour. ``detail`` float32 [h w], at most 64 a side, is what of its
    brightness is finer than a blur, ``spectrum`` complex64 [128 65] its Fourier transform; both are
    empty where the picture is too small to be a field. ``aspect`` is the longer side over the
    shorter: a copy's is the same however it was turned or resized.
    """

    colours: NDArray[np.float32]
    ordered: NDArray[np.float32]
    structure: float
    mean: tuple[float, ...]
    detail: NDArray[np.float32]
    spectrum: NDArray[np.complex64]
    aspect: float


class Likeness:
    """Compares pictures of one archive; safe for several threads.

    Args:
        thumbnail: where an image's thumbnail lies; ``None``: only equal contents are the same.
    """

    def __init__(self, thumbnail: Callable[[ImageRecord], Path] | None = None) -> None:
        self._thumbnail = thumbnail
        self._glances: dict[str, Glance | None] = {}
        self._known: dict[tuple[str, str], bool] = {}

    def same(self, first: ImageRecord, second: ImageRecord, *, fields: bool = True) -> bool:
        """Whether one is a copy of the other (resized, compressed, turned or mirrored perhaps) or
        shows a field that overlaps the other's.

        Without both thumbnails only equal contents are: what is not proved a copy is evidence.

        Args:
            fields: ``False`` looks for copies only, which costs little.
        """
        if first.content_hash == second.content_hash:
            return bool(first.content_hash)
        if self._thumbnail is None or abs(_aspect(first) / _aspect(second) - 1) > _SHAPE:
            return False
        if not fields:
            one, other = self._glance(first), self._glance(second)
            return one is not None and other is not None and alike(one, other)
        pair = (first.content_hash, second.content_hash)
        if pair not in self._known:
            if len(self._known) >= _PAIRS_REMEMBERED:
                self._known = {}
            one = self._glance(first)
            self._known[pair] = one is not None and self.shows(second, one)
        return self._known[pair]

    def shows(self, image: ImageRecord, seen: Glance) -> bool:
        """Whether an archive picture and one that was seen elsewhere are such a pair."""
        own = self._glance(image)
        if own is None or abs(seen.aspect / own.aspect - 1) > _SHAPE:
            return False
        return alike(seen, own) or overlapping(seen, own)

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
    mean, detail = colours.mean(axis=(0, 1)), _detail(image)
    spectrum = np.fft.rfft2(detail, _CORRELATED) if detail.size else np.zeros((0, 0))
    return Glance(
        colours,
        np.sort(colours.reshape(-1, 3), axis=0),
        _difference(colours, mean),
        tuple(mean.tolist()),
        detail,
        spectrum.astype(np.complex64, copy=False),
        max(image.shape[:2]) / min(image.shape[:2]),
    )


def alike(first: Glance, second: Glance) -> bool:
    """Whether two glances are of one picture, turned or mirrored perhaps."""
    limit = min(ALIKE, _OF_STRUCTURE * min(first.structure, second.structure))
    # two means differ by no more than their values do on the mean, and no arrangement brings two
    # sets of values nearer than sorting both: the cheap bound rules out most pairs
    apart = sum(abs(one - other) for one, other in zip(first.mean, second.mean, strict=True))
    if apart >= len(first.mean) * limit or _difference(first.ordered, second.ordered) >= limit:
        return False
    turns = [np.rot90(second.colours, quarter) for quarter in range(4)]
    ways = (way for turn in turns for way in (turn, turn[:, ::-1]))
    return any(_difference(first.colours, way) < limit for way in ways)


def overlapping(first: Glance, second: Glance) -> bool:
    """Whether two fields of one scale and direction share cells, one moved against the other.

    The shift is that of the highest cross-correlation; the fields overlap if what they would then
    share correlates by itself.
    """
    one, other = first.detail, second.detail
    if not one.size or not other.size:
        return False
    product = np.fft.irfft2(first.spectrum * np.conj(second.spectrum), _CORRELATED)
    place = np.unravel_index(np.argmax(product), _CORRELATED)
    down, right = (
        int(shift) if shift < own else int(shift) - whole
        for shift, own, whole in zip(place, one.shape, _CORRELATED, strict=True)
    )
    here = one[max(0, down) : other.shape[0] + down, max(0, right) : other.shape[1] + right]
    there = other[max(0, -down) :, max(0, -right) :][: here.shape[0], : here.shape[1]]
    if here.size < _SHARED * min(one.size, other.size):
        return False
    scale = float(np.sqrt(np.square(here).sum() * np.square(there).sum()))
    return scale > 0 and float((here * there).sum()) >= OVERLAPPING * scale


def _detail(image: RgbImage) -> NDArray[np.float32]:
    height, width = image.shape[:2]
    if min(height, width) < _FIELD_PX:
        return np.zeros((0, 0), np.float32)
    scale = _DETAIL_SIDE / max(height, width)
    size = (max(1, round(scale * width)), max(1, round(scale * height)))
    grey = Image.fromarray(image).convert("L").resize(size, Image.Resampling.BOX)
    blurred = grey.filter(ImageFilter.GaussianBlur(_BLUR))
    return np.asarray(grey, np.float32) - np.asarray(blurred, np.float32)


def _difference(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    return float(np.abs(first - second).mean())


def is_field(image: ImageRecord) -> bool:
    """Whether a picture is large enough to overlap another."""
    return min(image.width_px, image.height_px) >= _FIELD_PX


def _aspect(image: ImageRecord) -> float:
    return max(image.width_px, image.height_px) / min(image.width_px, image.height_px)


def _read(path: Path) -> Glance | None:
    try:
        return glance(load_image(path))
    except ImageError:
        return None
