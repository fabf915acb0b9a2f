"""Reports, what the generator makes of them, and real pictures of the same label, to look at.

No figure replaces looking: a distance cannot tell a wrong cell that is well drawn. A drawn picture
must never be taken for a patient's, so that every one has a coloured frame and a word of its own,
also where a page is cut up.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from coin_retrieval.errors import InputError
from coin_retrieval.evaluation.pictures.pair_sheet import tile
from coin_retrieval.evaluation.pictures.picture_sets import PictureSet
from coin_retrieval.images import encode_png
from coin_retrieval.presenting.sheet_text import font, line_px, spell, wrap
from coin_retrieval.types import RgbImage

NOTICE = (
    "Left: SYNTHETIC, drawn by a model, no patient. Right: real pictures of the report's label."
)
NOTICE_DRAWN = "SYNTHETIC, drawn by a model, no patient."
SUFFIXES = (".png", ".webp")
ROWS_A_PAGE = 10
_TILE_PX, _GAP_PX, _MARGIN_PX, _GUTTER_PX, _FRAME_PX = 128, 6, 32, 36, 5
_REPORT_PX, _LABEL_PX, _HEAD_PX, _MARK_PX = 24, 17, 22, 13
_REPORT_LINES = 4
_WEBP_QUALITY = 90
_PAPER, _INK, _GREY, _RULE = "#ffffff", "#1b1f24", "#5b6470", "#d5dae0"
_SYNTHETIC, _SYNTHETIC_PALE = "#b45309", "#fef3c7"
_IMAGE_DESCRIPTION = 0x010E


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One report, the pictures drawn from it, and real pictures of its label."""

    report: str
    label: str
    drawn: Sequence[RgbImage]
    real: Sequence[RgbImage]


def choose_real(pictures: PictureSet, label: str, *, by: str, n: int, seed: int) -> PictureSet:
    """At most ``n`` pictures of a label, a case each while there are cases, in random order."""
    random = np.random.default_rng(seed)
    found = zip(pictures.rows, pictures.labels(by), strict=True)
    rows = [row for row, named in found if named == label]
    rows = [rows[i] for i in random.permutation(len(rows))]
    first = {row.case_id: row for row in reversed(rows)}
    spread = [row for row in rows if first[row.case_id] is row]
    again = [row for row in rows if first[row.case_id] is not row]
    return PictureSet(pictures.name, tuple([*spread, *again][:n]))


def draw_pages(rows: Sequence[SheetRow], *, n: int) -> list[RgbImage]:
    """Pages of ten reports, uint8 [h w 3]: ``n`` drawn pictures left, ``n`` real ones right.

    Where no row has a real picture the pages have no right half.
    """
    starts = range(0, len(rows), ROWS_A_PAGE)
    return [
        _Page(rows[start : start + ROWS_A_PAGE], n, number, len(starts)).draw()
        for number, start in enumerate(starts, start=1)
    ]


def check_sheet_path(out: Path) -> Path:
    """The same path, if pages can be saved under it.

    Raises:
        InputError: neither PNG nor WebP.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise InputError(
            "a sheet is PNG or WebP",
            value=out.name,
            expected=f"a name that ends in {' or '.join(SUFFIXES)}",
        )
    return out


def save_pages(pages: Sequence[RgbImage], out: Path) -> list[Path]:
    """Save as ``sheet.png``, ``sheet-2.png`` …, marked in their metadata; returns the files.

    Raises:
        InputError: another suffix, or a directory that cannot be written.
    """
    check_sheet_path(out)
    files = [
        out.with_name(f"{out.stem}-{number}{out.suffix}" if number > 1 else out.name)
        for number in range(1, len(pages) + 1)
    ]
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        for file, page in zip(files, pages, strict=True):
            file.write_bytes(_encoded(page, file.suffix.lower()))
    except OSError as error:
        raise InputError(
            f"the sheet cannot be saved ({error.strerror})",
            value=str(out),
            expected="a directory that can be created and written",
            remedy="name another file",
        ) from error
    return files


def _encoded(page: RgbImage, suffix: str) -> bytes:
    if suffix == ".png":
        return encode_png(page, text={"Description": NOTICE, "synthetic": "the framed pictures"})
    marks = Image.Exif()
    marks[_IMAGE_DESCRIPTION] = NOTICE
    buffer = io.BytesIO()
    Image.fromarray(page).save(buffer, format="WEBP", quality=_WEBP_QUALITY, exif=marks)
    return buffer.getvalue()


class _Page:
    """Measures its rows first, then paints them."""

    def __init__(self, rows: Sequence[SheetRow], n: int, number: int, pages: int) -> None:
        self._half_px = n * _TILE_PX + (n - 1) * _GAP_PX
        self._right = _MARGIN_PX + self._half_px + _GUTTER_PX
        self._compares = any(row.real for row in rows)
        compared_px = _GUTTER_PX + self._half_px if self._compares else 0
        self._width = _MARGIN_PX + self._half_px + compared_px + _MARGIN_PX
        self._rows = rows
        self._texts = [
            wrap(row.report, _REPORT_PX, self._width - 2 * _MARGIN_PX, _REPORT_LINES)
            for row in rows
        ]
        self._notices = wrap(
            f"{NOTICE if self._compares else NOTICE_DRAWN} Page {number} of {pages}.",
            _HEAD_PX,
            self._width - 2 * _MARGIN_PX,
            3,
        )

    def draw(self) -> RgbImage:
        head = _MARGIN_PX + len(self._notices) * line_px(_HEAD_PX) + 16
        heights = [
            len(lines) * line_px(_REPORT_PX) + line_px(_LABEL_PX) + _TILE_PX + 40
            for lines in self._texts
        ]
        self._page = Image.new("RGB", (self._width, head + sum(heights)), _PAPER)
        self._pen = ImageDraw.Draw(self._page)
        left = (_MARGIN_PX - 12, 0, self._right - _GUTTER_PX + 12, self._page.height)
        self._pen.rectangle(left, fill=_SYNTHETIC_PALE)
        self._pen.rectangle((0, 0, self._width, head - 8), fill=_PAPER)
        self._lines(self._notices, _MARGIN_PX, _HEAD_PX, _SYNTHETIC)
        top = head
        for row, lines, height in zip(self._rows, self._texts, heights, strict=True):
            self._row(row, lines, top)
            top += height
        return np.asarray(self._page, np.uint8)

    def _row(self, row: SheetRow, lines: Sequence[str], top: int) -> None:
        upper = top + len(lines) * line_px(_REPORT_PX) + line_px(_LABEL_PX) + 8
        # the words stand on white: they are the reader's, only what lies below them is drawn
        self._pen.rectangle((0, top - 8, self._width, upper - 6), fill=_PAPER)
        self._pen.line((_MARGIN_PX, top - 8, self._width - _MARGIN_PX, top - 8), fill=_RULE)
        self._lines(lines, top, _REPORT_PX, _INK)
        label = wrap(row.label or "no label given", _LABEL_PX, self._width - 2 * _MARGIN_PX, 1)
        self._lines(label, top + len(lines) * line_px(_REPORT_PX), _LABEL_PX, _GREY)
        for column, image in enumerate(row.drawn):
            self._tile(image, _MARGIN_PX + column * (_TILE_PX + _GAP_PX), upper)
            self._mark(_MARGIN_PX + column * (_TILE_PX + _GAP_PX), upper)
        for column, image in enumerate(row.real):
            self._tile(image, self._right + column * (_TILE_PX + _GAP_PX), upper)
        if self._compares and not row.real:
            place = (self._right, upper + _TILE_PX // 2)
            self._pen.text(place, "no real picture of this label", _GREY, font(_LABEL_PX))

    def _lines(self, lines: Sequence[str], top: int, size_px: int, colour: str) -> None:
        for index, line in enumerate(lines):
            place = (_MARGIN_PX, top + index * line_px(size_px))
            self._pen.text(place, spell(line), colour, font(size_px))

    def _tile(self, image: RgbImage, left: int, top: int) -> None:
        self._page.paste(tile(image, _TILE_PX), (left, top))

    def _mark(self, left: int, top: int) -> None:
        box = (left, top, left + _TILE_PX - 1, top + _TILE_PX - 1)
        self._pen.rectangle(box, outline=_SYNTHETIC, width=_FRAME_PX)
        word_px = round(font(_MARK_PX).getlength("synthetic")) + 12
        lower = top + _TILE_PX - 1
        self._pen.rectangle((left, lower - 20, left + word_px, lower), fill=_SYNTHETIC)
        self._pen.text((left + 6, lower - 10), "synthetic", _PAPER, font(_MARK_PX), anchor="lm")
