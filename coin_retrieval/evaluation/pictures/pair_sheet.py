"""Closest pairs as one picture to look at: drawn on the left, training picture on the right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from coin_retrieval.images import encode_png
from coin_retrieval.presenting.sheet_text import font, line_px, spell, wrap
from coin_retrieval.types import RgbImage

_TILE_PX = 224
_GAP_PX = 12
_COLUMNS = 2
_TEXT_PX = 14
_HEAD = (
    "Closest pairs. Left: SYNTHETIC, drawn by a model. Right: its nearest real training picture."
)


def pair_sheet_png(pairs: Sequence[tuple[RgbImage, RgbImage, str]]) -> bytes:
    """Pairs of pictures (drawn, training) with a caption each, two pairs a row, as PNG bytes."""
    cell_w = 2 * _TILE_PX + 3 * _GAP_PX
    cell_h = _TILE_PX + 2 * line_px(_TEXT_PX) + 2 * _GAP_PX
    top = line_px(_TEXT_PX) + 2 * _GAP_PX
    rows = -(-len(pairs) // _COLUMNS)
    page = Image.new("RGB", (_COLUMNS * cell_w, top + rows * cell_h), "white")
    pen = ImageDraw.Draw(page)
    pen.text((_GAP_PX, _GAP_PX), spell(_HEAD), fill="black", font=font(_TEXT_PX))
    for number, (drawn, training, caption) in enumerate(pairs):
        left = (number % _COLUMNS) * cell_w + _GAP_PX
        upper = top + (number // _COLUMNS) * cell_h
        for column, image in enumerate((drawn, training)):
            page.paste(tile(image, _TILE_PX), (left + column * (_TILE_PX + _GAP_PX), upper))
        for index, line in enumerate(wrap(caption, _TEXT_PX, cell_w - 2 * _GAP_PX, 2)):
            place = (left, upper + _TILE_PX + 4 + index * line_px(_TEXT_PX))
            pen.text(place, line, fill="black", font=font(_TEXT_PX))
    return encode_png(np.asarray(page), text={"Description": _HEAD})


def tile(image: RgbImage, side_px: int) -> Image.Image:
    """The whole picture, enlarged or shrunk into a square, never distorted."""
    height, width = image.shape[:2]
    scale = side_px / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    square = Image.new("RGB", (side_px, side_px), (238, 238, 238))
    resized = Image.fromarray(image).resize(size, Image.Resampling.BICUBIC)
    square.paste(resized, ((side_px - size[0]) // 2, (side_px - size[1]) // 2))
    return square
