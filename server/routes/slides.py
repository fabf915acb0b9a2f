"""Slides that tiles of the archive were cut from, opened where a tile lies: DeepZoom and FHIR.

A slide has no address of its own: it is opened through a picture of the archive, so that nothing is
shown that was not indexed. Label and macro images are no levels of a slide, and never read.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from fastapi.responses import JSONResponse

from coin_retrieval.archive import Archive
from coin_retrieval.errors import (
    ImageError,
    MissingDependencyError,
    NotFoundError,
    UnsupportedError,
)
from coin_retrieval.images.containers.opening import container_at
from coin_retrieval.images.containers.parts import part_of
from coin_retrieval.images.containers.slide import SlideContainer
from coin_retrieval.images.jpeg import encode_jpeg
from coin_retrieval.images.slides import Region, Slide
from coin_retrieval.presenting.regions import imaging_selection, region_of
from coin_retrieval.types import ImageRecord
from server.asking import AskingHere
from server.routes.images import ImageIdHere, record_of
from server.services import FHIR_JSON
from server.wire.pictures import ServedPicture, quoted, tags_known

router = APIRouter(prefix="/v1/images/{image_id}", tags=["archive"])

TILE_PX, OVERLAP_PX = 254, 1
MOST_PIXELS = 16_777_216
"""That may be decoded for one tile: a slide without coarse levels is not shown as a whole."""


@dataclass(frozen=True, slots=True)
class _Pyramid:
    """A slide as DeepZoom counts it: each level half of the next, the last is the finest."""

    width_px: int
    height_px: int

    @property
    def finest(self) -> int:
        return math.ceil(math.log2(max(self.width_px, self.height_px, 2)))

    def tile(self, level: int, column: int, row: int) -> tuple[Region, int, int]:
        """A tile's region, and its size."""
        scale = 2 ** (self.finest - level)
        width, height = math.ceil(self.width_px / scale), math.ceil(self.height_px / scale)
        left, right = _span(column, width)
        top, bottom = _span(row, height)
        if not (0 <= left < right and 0 <= top < bottom):
            raise NotFoundError(
                "no such tile of the slide",
                value=f"level {level}, column {column}, row {row}",
                expected=f"a tile within {width} × {height} pixels",
            )
        x, y = left * scale, top * scale
        across = min(self.width_px - x, (right - left) * scale)
        down = min(self.height_px - y, (bottom - top) * scale)
        return Region(x, y, across, down), right - left, bottom - top


def _span(number: int, length: int) -> tuple[int, int]:
    start = number * TILE_PX - (OVERLAP_PX if number else 0)
    return start, min(length, (number + 1) * TILE_PX + OVERLAP_PX)


@router.get(
    "/slide.dzi",
    summary="The slide of a tile, for a DeepZoom viewer",
    response_class=Response,
    responses={
        200: {"content": {"application/xml": {}}, "description": "the slide's size in pixels"},
    },
)
async def deep_zoom(image_id: ImageIdHere, asking: AskingHere) -> Response:
    """The description that DeepZoom viewers (OpenSeadragon) read, of the slide that a tile is from.

    The tile's own place stands in the answer of a search (`region`) and in `/v1/cases/…`.
    """

    def read(archive: Archive) -> tuple[int, int]:
        return _slide_of(archive, record_of(archive, image_id)).size_px

    width, height = await asking.read(read, picture=image_id)
    return Response(
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Image xmlns="http://schemas.microsoft.com/deepzoom/2008" Format="jpeg" '
        f'TileSize="{TILE_PX}" Overlap="{OVERLAP_PX}">'
        f'<Size Width="{width}" Height="{height}"/></Image>\n',
        media_type="application/xml",
        headers={"Cache-Control": "private, max-age=3600"},
    )


@router.get(
    "/slide_files/{level}/{tile}",
    summary="A tile of a slide, for a DeepZoom viewer",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}}, "description": "the tile"},
    },
)
async def deep_zoom_tile(
    image_id: ImageIdHere,
    level: Annotated[int, Path(ge=0, le=40)],
    tile: Annotated[str, Path(pattern=r"^\d{1,6}_\d{1,6}\.jpeg$", examples=["0_0.jpeg"])],
    asking: AskingHere,
) -> Response:
    """A tile of the slide, `COLUMN_ROW.jpeg`; pixels that would cost too much to decode are 404."""
    column, row = (int(number) for number in tile.removesuffix(".jpeg").split("_"))
    known = tags_known(asking.request)

    def read(archive: Archive) -> ServedPicture:
        record = record_of(archive, image_id)
        etag = f"{record.content_hash}-{level}-{column}-{row}"
        slide = _slide_of(archive, record)
        pyramid = _Pyramid(*slide.size_px)
        if level > pyramid.finest:
            raise NotFoundError("no such level", value=level, expected=f"0 to {pyramid.finest}")
        region, width, height = pyramid.tile(level, column, row)
        if quoted(etag) in known:
            return ServedPicture(None, "image/jpeg", etag)
        try:
            pixels = slide.read(region, width, height, most_pixels=MOST_PIXELS)
        except ImageError as error:
            raise NotFoundError(
                "this tile of the slide cannot be shown",
                value=f"level {level}, column {column}, row {row}",
                expected=f"at most {MOST_PIXELS:,} pixels to decode, in a level that is whole",
                remedy="look at a finer level",
            ) from error
        return ServedPicture(encode_jpeg(pixels), "image/jpeg", etag)

    return (await asking.read(read, picture=image_id)).response()


@router.get(
    "/imaging-selection",
    summary="A picture of a DICOM instance as FHIR",
    response_class=JSONResponse,
    responses={
        200: {"content": {FHIR_JSON: {}}, "description": "a FHIR R5 ImagingSelection"},
    },
)
async def selection(image_id: ImageIdHere, asking: AskingHere) -> Response:
    """Which instance, and which frame or region of it, as a FHIR R5 ImagingSelection."""

    def read(archive: Archive) -> dict[str, Any]:
        return imaging_selection(record_of(archive, image_id))

    found = await asking.read(read, picture=image_id)
    return JSONResponse(found, media_type=FHIR_JSON)


def _slide_of(archive: Archive, record: ImageRecord) -> Slide:
    """The slide of a tile, if it is the file that was indexed."""
    if region_of(record) is None:
        raise NotFoundError(
            "the picture is not from a slide", value=record.image_id, expected="a tile of a slide"
        )
    gone = NotFoundError(
        "the slide has gone, or has changed since it was indexed",
        value=record.image_id,
        expected="the file that was indexed",
        remedy="bring it back to its place, or run coin-index build again",
    )
    try:
        path = archive.image_path(record)
        state = path.stat()
        container = container_at(path, part_of(record.uri))
    except (OSError, ImageError, MissingDependencyError, UnsupportedError) as error:
        raise gone from error
    same = (state.st_size, state.st_mtime_ns) == (record.file.size_bytes, record.file.modified_ns)
    if not (same and isinstance(container, SlideContainer)):
        raise gone
    return container.slide
