"""How slides are cut."""

from __future__ import annotations

from pydantic import Field

from coin_retrieval.config import Settings


class Tiling(Settings):
    """Square tiles of one scale. Of a slide that was scanned more coarsely they are smaller: they
    show the same field, and none is enlarged.
    """

    tile_px: int = Field(default=512, ge=8, le=4096)
    tile_mpp_um: float = Field(default=0.25, gt=0, le=20, description="micrometres a pixel")
    overlap_px: int = Field(default=0, ge=0, description="that neighbours share")
    slide_mpp_um: float | None = Field(
        default=None, gt=0, le=20, description="of slides whose files do not say it"
    )
    min_tissue: float = Field(default=0.01, ge=0, le=1, description="share of a tile")
    min_contrast: float = Field(default=20, ge=0, le=255, description="grey levels")
    min_sharpness: float = Field(default=0.12, ge=0, description="see indexer.tiling.fitness")
