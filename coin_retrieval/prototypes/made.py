"""A synthetic picture that is searched with: drawn of a layout, or translated from another kind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from coin_retrieval.metrics.instances import NuclearMeasures
    from coin_retrieval.types import RgbImage, Sample


@dataclass(frozen=True, slots=True)
class LayoutMeasures:
    """What a picture drawn of a layout shows, beside what was asked.

    ``placed`` of the ``asked`` nuclei have one drawn within 6 px; ``obedience`` is the F1 of that.
    """

    nuclei: NuclearMeasures
    asked: int
    placed: int
    obedience: float


@dataclass(frozen=True, slots=True, eq=False)
class MadePicture:
    """A picture that no patient's cells made, and how it was made.

    ``measures`` are ``None`` of a translation. ``field_px`` is how many px of the scale that a
    reader may name (``image_mpp_um``) lie across it: of a translation the source's.
    """

    sample: Sample
    measures: LayoutMeasures | None = None
    field_px: int | None = None

    @property
    def image(self) -> RgbImage:
        """Its pixels, uint8 [h w 3]."""
        return self.sample.image

    @property
    def how(self) -> Literal["drawn", "translated"]:
        """From what it was made: a layout, or a picture."""
        return "drawn" if self.sample.provenance.source.kind == "layout" else "translated"
