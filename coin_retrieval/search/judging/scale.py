"""Whether a picture that is asked with shows a field like those of the pictures that it finds.

An encoder sees each picture at its own input size: a cell is as large to it as its share of the
picture. So like scale means a like field, in micrometres across.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from coin_retrieval.types import CaseMatch, RgbImage

MOST_APART = 1.5
"""Times as wide; a choice, not a measurement: less than one step between usual objectives (2)."""


def scale_notices(
    image: RgbImage | None, mpp_um: float | None, cases: Sequence[CaseMatch]
) -> tuple[str, ...]:
    """What a reader has to know of the scales.

    Args:
        mpp_um: micrometres a pixel of the picture; nothing is said where nobody knows it.
    """
    if image is None or mpp_um is None:
        return ()
    shown = [
        min(match.image.width_px, match.image.height_px) * match.image.mpp_um
        for case in cases
        for match in case.matches
        if match.image.mpp_um
    ]
    if not any(case.matches for case in cases):
        return ()
    if not shown:
        return ("the scale of the cases found is not known, so sizes cannot be compared",)
    asked_um, found_um = min(image.shape[:2]) * mpp_um, median(shown)
    apart = max(asked_um / found_um, found_um / asked_um)
    if apart <= MOST_APART:
        return ()
    how, crop = ("smaller", "narrower") if asked_um > found_um else ("larger", "wider")
    return (
        f"the picture shows a field of {asked_um:.3g} µm, the cases found {found_um:.3g} µm: "
        f"its cells look {apart:.2g} times {how} than theirs; ask with a {crop} crop",
    )
