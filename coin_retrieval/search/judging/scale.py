"""Whether a picture that is asked with shows a field like those it is compared with.

An encoder sees each picture at its own input size: a cell is as large to it as its share of the
picture. So like scale means a like field, in micrometres across.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median, quantiles

from coin_retrieval.prototypes.made import MadePicture
from coin_retrieval.types import CaseMatch, ImageRecord, RgbImage

MOST_APART = 1.5
"""Times as wide; a choice, not a measurement: less than one step between usual objectives (2)."""
MOST_RESAMPLED = 2.0
"""Times larger or smaller at most: beyond it a picture would be mostly margin, or mostly lost."""
_LIKE = 1.1
"""Fields that differ by less are taken for one."""


@dataclass(frozen=True, slots=True)
class LikeScale:
    """A picture's field and that of the pictures it is compared with, in µm across."""

    asked_um: float
    archive_um: float

    @property
    def magnified(self) -> float:
        """How many times larger its cells are shown; below 1, smaller."""
        apart = self.asked_um / self.archive_um
        if 1 / _LIKE < apart < _LIKE:
            return 1.0
        return min(max(apart, 1 / MOST_RESAMPLED), MOST_RESAMPLED)

    @property
    def shown_um(self) -> float:
        """The field that is searched with, in µm across."""
        return self.asked_um / self.magnified

    def shown(self, image: RgbImage) -> RgbImage:
        """The picture's middle, or the picture in a margin that mirrors it: of the like field."""
        height, width = image.shape[:2]
        if self.magnified > 1:
            high, wide = (max(1, round(side / self.magnified)) for side in (height, width))
            top, left = (height - high) // 2, (width - wide) // 2
            return image[top : top + high, left : left + wide]
        import numpy as np  # plans are made without it, by clients too

        margins = [round((side / self.magnified - side) / 2) for side in (height, width)]
        return np.pad(image, [*((margin, margin) for margin in margins), (0, 0)], mode="symmetric")

    def notices(self) -> tuple[str, ...]:
        """What a reader has to know of it."""
        if self.magnified == 1:
            return ()
        how = (
            f"its middle was searched with, magnified {self.magnified:.2g} times"
            if self.magnified > 1
            else f"it was searched with {1 / self.magnified:.2g} times smaller, in a margin that "
            "mirrors it"
        )
        return (
            f"the picture shows a field of {self.asked_um:.3g} µm, the archive's pictures "
            f"{self.archive_um:.3g} µm: {how}",
        )


def field_um(image: RgbImage, mpp_um: float, made: MadePicture | None = None) -> float:
    """Micrometres across a picture's shorter side.

    Args:
        made: how it was made: of a translation ``mpp_um`` is its source's.
    """
    own_px = min(image.shape[:2])
    return float((own_px if made is None else made.field_px or own_px) * mpp_um)


def common_field_um(images: Iterable[ImageRecord]) -> float | None:
    """The field of most pictures, in µm across; ``None`` where few know it, or there is no one."""
    shown = _fields_um(images := list(images))
    if not shown or 2 * len(shown) < len(images):
        return None
    if len(shown) == 1:
        return shown[0]
    least, middle, most = quantiles(shown, method="inclusive")
    return None if most > MOST_APART * least else middle


def scale_notices(shown_um: float | None, cases: Sequence[CaseMatch]) -> tuple[str, ...]:
    """What a reader has to know of the scales of what was found.

    Args:
        shown_um: the field that was searched with, in µm across; ``None``: nobody knows it.
    """
    if shown_um is None or not any(case.matches for case in cases):
        return ()
    shown = _fields_um(match.image for case in cases for match in case.matches)
    if not shown:
        return ("the scale of the cases found is not known, so sizes cannot be compared",)
    found_um = median(shown)
    apart = max(shown_um / found_um, found_um / shown_um)
    if apart <= MOST_APART:
        return ()
    how, crop = ("smaller", "narrower") if shown_um > found_um else ("larger", "wider")
    return (
        f"the picture shows a field of {shown_um:.3g} µm, the cases found {found_um:.3g} µm: "
        f"its cells look {apart:.2g} times {how} than theirs; ask with a {crop} crop",
    )


def _fields_um(images: Iterable[ImageRecord]) -> list[float]:
    return [min(i.width_px, i.height_px) * i.mpp_um for i in images if i.mpp_um]
