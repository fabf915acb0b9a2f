"""Which tiles a slide is cut into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.images.containers.parts import Tile
from coin_retrieval.images.slides.base import Region, Slide
from indexer.tiling.settings import Tiling
from indexer.tiling.tissue import shares, tissue

OVERVIEW_PX = 2048


@dataclass(frozen=True, slots=True)
class Grid:
    """Tiles of a slide, row by row; the last of a row or column ends where the slide does.

    ``lefts`` and ``tops`` are in pixels of the finest level, ``kept`` has a value for each tile.
    """

    lefts: tuple[int, ...]
    tops: tuple[int, ...]
    width_px: int
    height_px: int
    scale: float
    kept: NDArray[np.bool_]

    @property
    def whole(self) -> bool:
        """Whether the slide is no larger than one tile."""
        return len(self.lefts) == len(self.tops) == 1

    def tiles(self) -> Iterator[Tile]:
        """Those that are kept."""
        width = max(1, round(self.width_px / self.scale))
        height = max(1, round(self.height_px / self.scale))
        for row, column in np.argwhere(self.kept).tolist():
            left, top = self.lefts[column], self.tops[row]
            yield Tile(Region(left, top, self.width_px, self.height_px), width, height)


def grid_of(slide: Slide, mpp_um: float | None, tiling: Tiling) -> Grid:
    """The tiles of a slide on which there is something.

    Args:
        mpp_um: of its finest level; where nobody knows it, tiles are cut from that as it is.
    """
    finer = tiling.tile_mpp_um / mpp_um if mpp_um else 1.0
    side = max(1, round(tiling.tile_px * finer))
    step = max(1, round((tiling.tile_px - tiling.overlap_px) * finer))
    (width, height), scale = slide.size_px, max(1.0, finer)
    lefts, tops = _starts(width, side, step), _starts(height, side, step)
    grid = Grid(
        lefts, tops, min(side, width), min(side, height), scale,
        np.ones((len(tops), len(lefts)), np.bool_),
    )  # fmt: skip
    if not (grid.whole or tiling.min_tissue == 0):
        grid.kept[:] = _tissue_of(slide, grid) >= tiling.min_tissue
    return grid


def _starts(length: int, side: int, step: int) -> tuple[int, ...]:
    if length <= side:
        return (0,)
    starts = list(range(0, length - side + 1, step))
    return (*starts, *([length - side] if starts[-1] < length - side else []))


def _tissue_of(slide: Slide, grid: Grid) -> NDArray[np.float64]:
    """The share of tissue in each tile, float64 [rows columns]."""
    overview, scale = slide.overview(OVERVIEW_PX)
    mask = tissue(overview)
    tops, lefts = (np.asarray(starts) for starts in (grid.tops, grid.lefts))
    y, x = (part.ravel() for part in np.meshgrid(tops, lefts, indexing="ij"))
    left = np.minimum(x / scale, mask.shape[1] - 1).astype(np.int64)
    top = np.minimum(y / scale, mask.shape[0] - 1).astype(np.int64)
    right = np.ceil((x + grid.width_px) / scale).astype(np.int64)
    bottom = np.ceil((y + grid.height_px) / scale).astype(np.int64)
    right = np.clip(right, left + 1, mask.shape[1])
    bottom = np.clip(bottom, top + 1, mask.shape[0])
    boxes = np.stack([left, top, right, bottom], axis=1)
    return shares(mask, boxes).reshape(len(tops), len(lefts))
