"""How slides are cut, as options of the command line: the fields of :class:`Tiling`."""

from __future__ import annotations

from typing import Any

from coin_retrieval.console.fields import asks
from coin_retrieval.errors import InputError
from indexer.tiling.settings import Tiling


def _tiling(given: dict[str, Any]) -> Tiling:
    if given["overlap_px"] >= given["tile_px"]:
        raise InputError(
            "tiles overlap by all of their side",
            value=f"--tile-overlap {given['overlap_px']}",
            expected=f"less than --tile-px {given['tile_px']}",
        )
    return Tiling(**given)


asks_tiling = asks(
    "tiling",
    Tiling,
    names={"tile_mpp_um": "--tile-mpp", "overlap_px": "--tile-overlap", "slide_mpp_um": "--mpp"},
    panel="Whole slides",
    make=_tiling,
)
