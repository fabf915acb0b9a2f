"""Whole slides as rows, one a tile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from coin_retrieval.images.containers.opening import container_at
from coin_retrieval.images.containers.slide import SlideContainer
from coin_retrieval.images.slides.base import Slide
from coin_retrieval.tables.cases import CaseRow
from indexer.sources.readable import readable
from indexer.tiling.fitness import unfit
from indexer.tiling.grid import Grid, grid_of
from indexer.tiling.settings import Tiling

_SAME_SCALE = 1.05


class SlideRows:
    """Rows of slides. Where a slide has tissue is found once, however often its rows are asked."""

    def __init__(self, tiling: Tiling) -> None:
        self._tiling = tiling
        self._known: dict[tuple[Path, float | None], tuple[Grid, float | None, list[str]]] = {}

    def rows(self, row: CaseRow, notes: list[str]) -> Iterator[CaseRow]:
        """One row a tile of the row's slide; what is odd is added to the notes.

        Raises:
            ImageError: the slide cannot be opened.
            MissingDependencyError: what reads it is not installed.
        """
        key = (row.image_path, row.mpp_um)
        if key not in self._known:
            container = container_at(row.image_path, "xywh")
            assert isinstance(container, SlideContainer)  # noqa: S101
            self._known[key] = self._cut(container.slide, row)
        grid, mpp_um, own = self._known[key]
        notes += own
        stem = readable(row.image_path.stem)
        named = row.case_id if row.case_id.endswith(stem) else f"{row.case_id}/{stem}"
        check = partial(
            unfit,
            min_contrast=self._tiling.min_contrast,
            min_sharpness=self._tiling.min_sharpness,
        )
        for tile in grid.tiles():
            yield replace(
                row,
                part=tile.part(),
                slide_id=row.slide_id or named,
                mpp_um=mpp_um and mpp_um * tile.region.width_px / tile.width_px,
                unfit=None if grid.whole else check,
            )

    def _cut(self, slide: Slide, row: CaseRow) -> tuple[Grid, float | None, list[str]]:
        tiling, name = self._tiling, str(row.image_path)
        mpp_um = row.mpp_um or slide.mpp_um or tiling.slide_mpp_um
        notes = [
            f"{name}: level {level} cannot be decoded ({fault}); finer ones are read in its place"
            for level, fault in slide.broken_levels()
        ]
        if mpp_um is None:
            notes.append(
                f"{name} does not say its scale: its tiles are cut from the finest level, and "
                "their scale is unknown (--mpp says it)"
            )
        elif mpp_um > tiling.tile_mpp_um * _SAME_SCALE:
            notes.append(
                f"{name} was scanned at {mpp_um:.3g} µm a pixel, not {tiling.tile_mpp_um:.3g}: its "
                "tiles show the same field in fewer pixels"
            )
        grid = grid_of(slide, mpp_um, tiling)
        if not grid.kept.any():
            notes.append(f"{name}: no tissue was found (--min-tissue 0 takes every tile)")
        return grid, mpp_um, notes
