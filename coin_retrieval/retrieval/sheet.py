"""The contact sheet: what was asked, the synthetic prototypes, and the nearest cases, on one page.

A reader must never take a drawn picture for a patient's: prototypes stand under their own banner,
and every picture that is not real has a coloured frame and says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageDraw

from coin_retrieval.retrieval.lettering import font, line_px, spell, wrap
from coin_retrieval.retrieval.query import Prototype, SearchResult
from coin_retrieval.types import CaseMatch, ImageRecord, Origin, RgbImage, SearchMode

BANNER = "SYNTHETIC prototypes — drawn by a model, no patient"
DEMONSTRATION_BANNER = "demonstration: no patients"
FOOTER = "Reference and decision support; not a diagnosis."

WIDTH_PX = 1480
CASES_SHOWN = 40
_MARGIN_PX = 48
_GAP_PX = 20
_COLUMNS = 5
_TILE_PX = (WIDTH_PX - 2 * _MARGIN_PX - (_COLUMNS - 1) * _GAP_PX) // _COLUMNS
_FRAME_PX = 6
_REPORT_LINES = 6
_CAPTION_LINES = 4

_PAPER, _INK, _GREY, _RULE = "#ffffff", "#1b1f24", "#5b6470", "#d5dae0"
_SYNTHETIC, _SYNTHETIC_PALE = "#b45309", "#fef3c7"
_MODE_WORDS = {
    SearchMode.FUSED: "report text and prototypes together",
    SearchMode.PROTOTYPE: "prototypes",
    SearchMode.TEXT: "report text",
    SearchMode.IMAGE: "image",
}


def draw_sheet(
    result: SearchResult,
    *,
    prototype_image: Callable[[Prototype], RgbImage],
    case_image: Callable[[ImageRecord], RgbImage],
    query_image: RgbImage | None = None,
    demonstration: bool = False,
) -> RgbImage:
    """Draw the sheet of a search, uint8 [h 1480 3]; at most 40 cases, the rest is counted.

    Args:
        prototype_image: the picture of a prototype.
        case_image: the picture of an archive image; a thumbnail does.
        query_image: the picture that was searched with, if it was one.
        demonstration: the archive holds no patients' cells at all.

    Raises:
        ImageError: a picture that cannot be read.
    """
    page = _Page()
    if demonstration:
        page.banner(DEMONSTRATION_BANNER)
    page.text("Nearest cases", 34)
    page.text(_subtitle(result), 18, _GREY)
    page.space(14)
    if result.report:
        page.text(result.report, 22, limit=_REPORT_LINES)
    if result.dropped_text:
        page.text(f"Not read by any model: “{result.dropped_text}”", 18, _SYNTHETIC, limit=2)
    if query_image is not None:
        page.tiles([_Tile(query_image, None, [("the image searched with", 18, _GREY)])])
    page.space(20)
    if result.prototypes:
        page.banner(BANNER)
        page.tiles([_prototype_tile(p, prototype_image(p)) for p in result.prototypes])
    shown = result.cases[:CASES_SHOWN]
    page.heading(_cases_heading(result.cases))
    tiles = [
        _case_tile(rank, case, case_image(case.matches[0].image))
        for rank, case in enumerate(shown, start=1)
    ]
    page.tiles(tiles)
    if len(result.cases) > len(shown):
        page.text(f"… and {len(result.cases) - len(shown)} more", 18, _GREY)
    page.rule()
    page.text(FOOTER, 18, _GREY)
    return page.render()


def _subtitle(result: SearchResult) -> str:
    count = len(result.cases)
    return f"{count} case{'' if count == 1 else 's'}, searched by {_MODE_WORDS[result.mode]}"


def _cases_heading(cases: Sequence[CaseMatch]) -> str:
    if not cases:
        return "No case of the archive fits the filter"
    origins = {case.matches[0].image.origin for case in cases}
    if origins == {Origin.REAL}:
        return "Real cases of the archive"
    if Origin.REAL in origins:
        return "Cases of the archive; framed ones are not real"
    return "Cases of the archive: none is real"


@dataclass(frozen=True, slots=True)
class _Tile:
    image: RgbImage
    mark: str | None
    """A word on a coloured frame; ``None`` for a real picture."""
    caption: Sequence[tuple[str, int, str]] = field(default_factory=list)
    """Text, size in pixels, colour."""


def _prototype_tile(prototype: Prototype, image: RgbImage) -> _Tile:
    return _Tile(image, "synthetic", [(f"seed {prototype.provenance.seed}", 17, _GREY)])


def _case_tile(rank: int, match: CaseMatch, image: RgbImage) -> _Tile:
    best = match.matches[0].image
    others = {m.image.diagnosis for m in match.matches} - {best.diagnosis, ""}
    caption = [
        (f"{rank}.  {best.diagnosis or 'no diagnosis given'}", 22, _INK),
        (f"similarity {match.similarity:.3f}", 18, _INK),
    ]
    if best.finding and best.finding.casefold() != best.diagnosis.casefold():
        caption.append((best.finding, 18, _INK))
    if others:
        caption.append((f"also in this case: {', '.join(sorted(others))}", 17, _INK))
    details = [match.case.site, match.case.specimen, match.case.stain]
    caption.append((", ".join(filter(None, details)) or "site not given", 17, _GREY))
    caption.append((f"case {match.case.case_id}", 17, _GREY))
    return _Tile(image, None if best.origin is Origin.REAL else best.origin.value, caption)


class _Page:
    """A page that grows downwards: blocks are measured when added and painted at the end."""

    def __init__(self) -> None:
        self._height = _MARGIN_PX
        self._paint: list[Callable[[ImageDraw.ImageDraw, Image.Image], None]] = []

    def space(self, height_px: int) -> None:
        self._height += height_px

    def text(self, text: str, size: int, colour: str = _INK, *, limit: int = 3) -> None:
        lines = wrap(text, size, WIDTH_PX - 2 * _MARGIN_PX, limit)
        self._lines([(line, size, colour) for line in lines], _MARGIN_PX, self._height)
        self._height += len(lines) * line_px(size)

    def heading(self, text: str) -> None:
        self.text(text, 24)
        self.space(10)

    def rule(self) -> None:
        top = self._height + 4
        self._paint.append(
            lambda draw, _: draw.line(
                [(_MARGIN_PX, top), (WIDTH_PX - _MARGIN_PX, top)], fill=_RULE, width=2
            )
        )
        self._height += 20

    def banner(self, text: str) -> None:
        top, height = self._height, 52
        box = (_MARGIN_PX, top, WIDTH_PX - _MARGIN_PX, top + height)
        self._paint.append(
            lambda draw, _: draw.rounded_rectangle(
                box, radius=6, fill=_SYNTHETIC_PALE, outline=_SYNTHETIC, width=2
            )
        )
        self._paint.append(
            lambda draw, _: draw.text(
                (_MARGIN_PX + 18, top + height // 2), spell(text), _SYNTHETIC, font(24), anchor="lm"
            )
        )
        self._height += height + 18

    def tiles(self, tiles: Sequence[_Tile]) -> None:
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
        page = Image.new("RGB", (WIDTH_PX, self._height + _MARGIN_PX), _PAPER)
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

    def _tile(self, tile: _Tile, left: int) -> None:
        top = self._height

        def paint(draw: ImageDraw.ImageDraw, page: Image.Image) -> None:
            box = (left, top, left + _TILE_PX - 1, top + _TILE_PX - 1)
            draw.rectangle(box, fill="#f3f5f7")
            inner_px = _TILE_PX - (2 * _FRAME_PX if tile.mark else 2)
            picture = _contain(tile.image, inner_px)
            offset_x, offset_y = (_TILE_PX - picture.width) // 2, (_TILE_PX - picture.height) // 2
            page.paste(picture, (left + offset_x, top + offset_y))
            if tile.mark is None:
                draw.rectangle(box, outline=_RULE, width=1)
                return
            draw.rectangle(box, outline=_SYNTHETIC, width=_FRAME_PX)
            label_px = round(font(18).getlength(tile.mark)) + 20
            label = (left, top + _TILE_PX - 32, left + label_px, top + _TILE_PX - 1)
            draw.rectangle(label, fill=_SYNTHETIC)
            draw.text((left + 10, top + _TILE_PX - 16), tile.mark, _PAPER, font(18), anchor="lm")

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
