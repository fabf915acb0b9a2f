"""A page of pictures and words that grows downwards; what stands on it is :mod:`.sheet`'s."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from coin_retrieval.presenting.sheet_text import font, line_px, spell, wrap
from coin_retrieval.types import RgbImage

_MARGIN_PX = 50
_FRAME_PX = 6
_CAPTION_LINES = 4

PAPER, INK, GREY, RULE = "#ffffff", "#1b1f24", "#5b6470", "#d5dae0"
SYNTHETIC, SYNTHETIC_PALE = "#b45309", "#fef3c7"
WARNING, WARNING_PALE = "#9b2226", "#fceeee"


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture with what stands below it."""

    image: RgbImage
    mark: str | None
    """A word on a coloured frame; ``None`` for a real picture."""
    caption: Sequence[tuple[str, int, str]] = field(default_factory=list)
    """Text, size in pixels, colour."""


class Page:
    """A page that grows downwards: blocks are measured when added and painted at the end.

    Args:
        columns: of pictures; they make the page's width.
        tile_px: each picture's square.
        gap_px: between pictures.
    """

    def __init__(self, *, columns: int = 5, tile_px: int = 260, gap_px: int = 20) -> None:
        self._columns, self._tile_px, self._step_px = columns, tile_px, tile_px + gap_px
        self._mark_px = max(13, round(0.07 * tile_px))
        self._text_px = columns * self._step_px - gap_px
        self._right = _MARGIN_PX + self._text_px
        self._height = _MARGIN_PX
        self._paint: list[Callable[[ImageDraw.ImageDraw, Image.Image], None]] = []

    def space(self, height_px: int) -> None:
        """Leave some paper."""
        self._height += height_px

    def text(self, text: str, size: int, colour: str = INK, *, limit: int = 3) -> None:
        """At most ``limit`` lines of the page's whole width."""
        lines = wrap(text, size, self._text_px, limit)
        self._lines([(line, size, colour) for line in lines], _MARGIN_PX, self._height)
        self._height += len(lines) * line_px(size)

    def heading(self, text: str) -> None:
        """A line that names what follows."""
        self.text(text, 24)
        self.space(10)

    def rule(self) -> None:
        """A line across."""
        top = self._height + 4
        self._paint.append(
            lambda draw, _: draw.line([(_MARGIN_PX, top), (self._right, top)], fill=RULE, width=2)
        )
        self._height += 20

    def banner(self, text: str, colour: str = SYNTHETIC) -> None:
        """One line in a coloured box, which nobody overlooks."""
        pale = WARNING_PALE if colour == WARNING else SYNTHETIC_PALE
        top, height = self._height, 52
        box = (_MARGIN_PX, top, self._right, top + height)
        self._paint.append(
            lambda draw, _: draw.rounded_rectangle(
                box, radius=6, fill=pale, outline=colour, width=2
            )
        )
        self._paint.append(
            lambda draw, _: draw.text(
                (_MARGIN_PX + 18, top + height // 2), spell(text), colour, font(24), anchor="lm"
            )
        )
        self._height += height + 18

    def tiles(self, tiles: Sequence[Tile | None]) -> None:
        """Pictures in rows; ``None`` leaves a place empty."""
        for start in range(0, len(tiles), self._columns):
            deepest = 0
            for column, tile in enumerate(tiles[start : start + self._columns]):
                if tile is not None:
                    left = _MARGIN_PX + column * self._step_px
                    self._tile(tile, left)
                    caption = self._wrapped(tile.caption)
                    self._lines(caption, left, self._height + self._tile_px + 8)
                    deepest = max(deepest, sum(line_px(size) for _, size, _ in caption))
            self._height += self._tile_px + 8 + deepest + 24

    def render(self) -> RgbImage:
        """The page, uint8 [h w 3]."""
        page = Image.new("RGB", (self._right + _MARGIN_PX, self._height + _MARGIN_PX), PAPER)
        draw = ImageDraw.Draw(page)
        for paint in self._paint:
            paint(draw, page)
        return np.asarray(page, np.uint8)

    def _lines(self, lines: Sequence[tuple[str, int, str]], left: int, top: int) -> None:
        def paint(draw: ImageDraw.ImageDraw, _: Image.Image) -> None:
            below = top
            for line, size, colour in lines:
                draw.text((left, below), line, colour, font(size))
                below += line_px(size)

        self._paint.append(paint)

    def _tile(self, tile: Tile, left: int) -> None:
        top, side_px, mark_px = self._height, self._tile_px, self._mark_px

        def paint(draw: ImageDraw.ImageDraw, page: Image.Image) -> None:
            lower = top + side_px - 1
            box = (left, top, left + side_px - 1, lower)
            draw.rectangle(box, fill="#f3f5f7")
            picture = _contain(tile.image, side_px - (2 * _FRAME_PX if tile.mark else 2))
            offset_x, offset_y = (side_px - picture.width) // 2, (side_px - picture.height) // 2
            page.paste(picture, (left + offset_x, top + offset_y))
            if tile.mark is None:
                draw.rectangle(box, outline=RULE, width=1)
                return
            draw.rectangle(box, outline=SYNTHETIC, width=_FRAME_PX)
            height = round(1.7 * mark_px)
            word_px = round(font(mark_px).getlength(tile.mark)) + mark_px
            draw.rectangle((left, lower - height, left + word_px, lower), fill=SYNTHETIC)
            place = (left + mark_px // 2, lower - height // 2)
            draw.text(place, tile.mark, PAPER, font(mark_px), anchor="lm")

        self._paint.append(paint)

    def _wrapped(self, caption: Sequence[tuple[str, int, str]]) -> list[tuple[str, int, str]]:
        return [
            (line, size, colour)
            for text, size, colour in caption
            for line in wrap(text, size, self._tile_px, _CAPTION_LINES)
        ]


def _contain(image: RgbImage, side_px: int) -> Image.Image:
    """The whole picture, never cropped: what lies at its edge may matter."""
    scale = side_px / max(image.shape[:2])
    width, height = (max(1, round(side * scale)) for side in (image.shape[1], image.shape[0]))
    return Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS)
