"""A page of pictures and words that grows downwards; what stands on it is :mod:`.sheet`'s."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from coin_retrieval.presenting.sheet_text import font, line_px, spell, wrap
from coin_retrieval.types import RgbImage

WIDTH_PX = 1480
_MARGIN_PX = 48
_GAP_PX = 20
_COLUMNS = 5
_TILE_PX = (WIDTH_PX - 2 * _MARGIN_PX - (_COLUMNS - 1) * _GAP_PX) // _COLUMNS
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
    """A page that grows downwards: blocks are measured when added and painted at the end."""

    def __init__(self) -> None:
        self._height = _MARGIN_PX
        self._paint: list[Callable[[ImageDraw.ImageDraw, Image.Image], None]] = []

    def space(self, height_px: int) -> None:
        """Leave some paper."""
        self._height += height_px

    def text(self, text: str, size: int, colour: str = INK, *, limit: int = 3) -> None:
        """At most ``limit`` lines of the page's whole width."""
        lines = wrap(text, size, WIDTH_PX - 2 * _MARGIN_PX, limit)
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
            lambda draw, _: draw.line(
                [(_MARGIN_PX, top), (WIDTH_PX - _MARGIN_PX, top)], fill=RULE, width=2
            )
        )
        self._height += 20

    def banner(self, text: str, colour: str = SYNTHETIC) -> None:
        """One line in a coloured box, which nobody overlooks."""
        pale = WARNING_PALE if colour == WARNING else SYNTHETIC_PALE
        top, height = self._height, 52
        box = (_MARGIN_PX, top, WIDTH_PX - _MARGIN_PX, top + height)
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

    def tiles(self, tiles: Sequence[Tile]) -> None:
        """Pictures in rows of five."""
        for start in range(0, len(tiles), _COLUMNS):
            row = tiles[start : start + _COLUMNS]
            captions = [_wrap_caption(tile.caption) for tile in row]
            for column, (tile, caption) in enumerate(zip(row, captions, strict=True)):
                left = _MARGIN_PX + column * (_TILE_PX + _GAP_PX)
                self._tile(tile, left)
                self._lines(caption, left, self._height + _TILE_PX + 8)
            deepest = max(sum(line_px(size) for _, size, _ in caption) for caption in captions)
            self._height += _TILE_PX + 8 + deepest + 24

    def render(self) -> RgbImage:
        """The page, uint8 [h 1480 3]."""
        page = Image.new("RGB", (WIDTH_PX, self._height + _MARGIN_PX), PAPER)
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
        top = self._height

        def paint(draw: ImageDraw.ImageDraw, page: Image.Image) -> None:
            box = (left, top, left + _TILE_PX - 1, top + _TILE_PX - 1)
            draw.rectangle(box, fill="#f3f5f7")
            inner_px = _TILE_PX - (2 * _FRAME_PX if tile.mark else 2)
            picture = _contain(tile.image, inner_px)
            offset_x, offset_y = (_TILE_PX - picture.width) // 2, (_TILE_PX - picture.height) // 2
            page.paste(picture, (left + offset_x, top + offset_y))
            if tile.mark is None:
                draw.rectangle(box, outline=RULE, width=1)
                return
            draw.rectangle(box, outline=SYNTHETIC, width=_FRAME_PX)
            label_px = round(font(18).getlength(tile.mark)) + 20
            label = (left, top + _TILE_PX - 32, left + label_px, top + _TILE_PX - 1)
            draw.rectangle(label, fill=SYNTHETIC)
            draw.text((left + 10, top + _TILE_PX - 16), tile.mark, PAPER, font(18), anchor="lm")

        self._paint.append(paint)


def _wrap_caption(caption: Sequence[tuple[str, int, str]]) -> list[tuple[str, int, str]]:
    return [
        (line, size, colour)
        for text, size, colour in caption
        for line in wrap(text, size, _TILE_PX, _CAPTION_LINES)
    ]


def _contain(image: RgbImage, side_px: int) -> Image.Image:
    """The whole picture, never cropped: what lies at its edge may matter."""
    scale = side_px / max(image.shape[:2])
    width, height = (max(1, round(side * scale)) for side in (image.shape[1], image.shape[0]))
    return Image.fromarray(image).resize((width, height), Image.Resampling.LANCZOS)
