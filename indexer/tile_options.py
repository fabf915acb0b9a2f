"""How slides are cut, as options of the command line."""

from __future__ import annotations

from typing import Annotated

import typer

from coin_retrieval.errors import InputError
from indexer.tiling.settings import Tiling

_OF_SLIDES = "Whole slides"
_DEFAULT = Tiling()

TilePx = Annotated[
    int,
    typer.Option("--tile-px", min=8, max=4096, rich_help_panel=_OF_SLIDES, help="Side of a tile."),
]
TileMpp = Annotated[
    float,
    typer.Option(
        "--tile-mpp", min=0.01, max=20, rich_help_panel=_OF_SLIDES,
        help="Micrometres a pixel of tiles; 0.25 is about 40×.",
    ),
]  # fmt: skip
Overlap = Annotated[
    int,
    typer.Option(
        "--tile-overlap", min=0, rich_help_panel=_OF_SLIDES, help="Pixels that neighbours share."
    ),
]
SlideMpp = Annotated[
    float | None,
    typer.Option(
        "--mpp", min=0.01, max=20, rich_help_panel=_OF_SLIDES,
        help="Micrometres a pixel of slides whose files do not say it.",
    ),
]  # fmt: skip
MinTissue = Annotated[
    float,
    typer.Option(
        "--min-tissue", min=0, max=1, rich_help_panel=_OF_SLIDES,
        help="Share of a tile that is not empty glass; 0 takes every tile.",
    ),
]  # fmt: skip
MinContrast = Annotated[
    float,
    typer.Option(
        "--min-contrast", min=0, max=255, rich_help_panel=_OF_SLIDES,
        help="Grey levels between a tile's darkest and brightest; below it is blank.",
    ),
]  # fmt: skip
MinSharpness = Annotated[
    float,
    typer.Option(
        "--min-sharpness", min=0, rich_help_panel=_OF_SLIDES,
        help="The strongest edge as a share of the contrast; below it is out of focus.",
    ),
]  # fmt: skip

TILE_PX, TILE_MPP, OVERLAP = _DEFAULT.tile_px, _DEFAULT.tile_mpp_um, _DEFAULT.overlap_px
MIN_TISSUE, MIN_CONTRAST, MIN_SHARPNESS = (
    _DEFAULT.min_tissue, _DEFAULT.min_contrast, _DEFAULT.min_sharpness,
)  # fmt: skip


def tiling(
    tile_px: int,
    tile_mpp_um: float,
    overlap_px: int,
    slide_mpp_um: float | None,
    min_tissue: float,
    min_contrast: float,
    min_sharpness: float,
) -> Tiling:
    """What the options say.

    Raises:
        InputError: tiles that would overlap by all of their side.
    """
    if overlap_px >= tile_px:
        raise InputError(
            "tiles overlap by all of their side",
            value=f"--tile-overlap {overlap_px}",
            expected=f"less than --tile-px {tile_px}",
        )
    return Tiling(
        tile_px=tile_px,
        tile_mpp_um=tile_mpp_um,
        overlap_px=overlap_px,
        slide_mpp_um=slide_mpp_um,
        min_tissue=min_tissue,
        min_contrast=min_contrast,
        min_sharpness=min_sharpness,
    )
