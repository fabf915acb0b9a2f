"""How slides are cut."""

from __future__ import annotations

from pydantic import Field

from coin_retrieval.config import Settings


class Tiling(Settings):
    """Square tiles of one scale. Of a slide that was scanned more coarsely they are smaller: they
    show the same field, and none is enlarged.
    """

    tile_px: int = Field(default=512, ge=8, le=4096, description="Side of a tile.")
    tile_mpp_um: float = Field(
        default=0.25, ge=0.01, le=20,
        description="Micrometres a pixel of tiles; 0.25 is about 40×.",
    )  # fmt: skip
    overlap_px: int = Field(default=0, ge=0, description="Pixels that neighbours share.")
    slide_mpp_um: float | None = Field(
        default=None, ge=0.01, le=20,
        description="Micrometres a pixel of slides whose files do not say it.",
    )  # fmt: skip
    min_tissue: float = Field(
        default=0.01, ge=0, le=1,
        description="Share of a tile that is not empty glass; 0 takes every tile.",
    )  # fmt: skip
    min_contrast: float = Field(
        default=20, ge=0, le=255,
        description="Grey levels between a tile's darkest and brightest; below it is blank.",
    )  # fmt: skip
    min_sharpness: float = Field(
        default=0.12, ge=0,
        description="The strongest edge as a share of the contrast; below it is out of focus.",
    )  # fmt: skip
