"""Pictures of the archive, as large as asked for."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from coin_retrieval.archive import Archive
from coin_retrieval.archive.thumbnails import MEDIA_TYPES, SIDE_PX
from coin_retrieval.errors import (
    ImageError,
    MissingDependencyError,
    NotFoundError,
    UnsupportedError,
)
from coin_retrieval.images.decoding import decode_image
from coin_retrieval.images.jpeg import encode_jpeg
from coin_retrieval.images.png import encode_png
from coin_retrieval.images.resizing import thumbnail
from coin_retrieval.types import ImageId, ImageRecord
from server.asking import AskingHere
from server.limits import MAX_SIZE_PX
from server.wire.pictures import ServedPicture, quoted, tags_known

router = APIRouter(prefix="/v1", tags=["archive"])

ImageIdHere = Annotated[int, Path(ge=0, lt=2**53)]


@router.get(
    "/images/{image_id}",
    summary="A picture of the archive",
    response_class=Response,
    responses={
        200: {
            "content": {media_type: {} for media_type in (*MEDIA_TYPES.values(), "image/png")},
            "description": "the picture",
        },
    },
)
async def image(
    image_id: ImageIdHere,
    asking: AskingHere,
    size: Annotated[
        int,
        Query(
            ge=16,
            le=MAX_SIZE_PX,
            description="the longer side in pixels at most; pictures are never enlarged",
        ),
    ] = SIDE_PX,
) -> Response:
    """A picture, shrunk to `size`: up to 256 px the archive's own JPEG (WebP of earlier
    programs), above it the source as PNG.

    Pictures are always encoded anew, so no metadata of a source file leaves the server. 404 when
    the source has gone or is not the file that was indexed; small sizes are still served then.
    """
    known = tags_known(asking.request)
    found = await asking.read(lambda a: _read(a, image_id, size, known), picture=image_id)
    return found.response()


def record_of(archive: Archive, image_id: int) -> ImageRecord:
    """The record of a picture.

    Raises:
        NotFoundError: the archive has none of this id.
    """
    record = archive.catalog.images([ImageId(image_id)]).get(ImageId(image_id))
    if record is None:
        raise NotFoundError("no such image", value=image_id, expected="an image_id of this archive")
    return record


def _read(archive: Archive, image_id: int, size_px: int, known: frozenset[str]) -> ServedPicture:
    record = record_of(archive, image_id)
    etag = f"{record.content_hash}-{size_px}"
    if quoted(etag) in known:
        return ServedPicture(None, "", etag)
    if size_px > SIDE_PX:
        return ServedPicture(_large(archive, record, size_px), "image/png", etag)
    return ServedPicture(*_small(archive, record, size_px), etag)


def _small(archive: Archive, record: ImageRecord, size_px: int) -> tuple[bytes, str]:
    """Bytes, and their media type."""
    path = archive.thumbnail_path(record)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotFoundError(
            "the archive's thumbnail has gone",
            value=record.image_id,
            expected="the thumbnail that coin-index build has made",
            remedy="run coin-index build again",
        ) from error
    if size_px == SIDE_PX:
        return data, MEDIA_TYPES[path.suffix]
    shrunk = thumbnail(decode_image(data, name="the thumbnail"), size_px)
    return encode_jpeg(shrunk), "image/jpeg"


def _large(archive: Archive, record: ImageRecord, size_px: int) -> bytes:
    try:
        return encode_png(thumbnail(archive.picture(record), size_px))
    except (ImageError, UnsupportedError, MissingDependencyError) as error:
        raise NotFoundError(
            "the source picture has gone",
            value=record.image_id,
            expected="the file that was indexed",
            remedy="bring the file that was indexed back to its place, or run coin-index build "
            f"again; sizes up to {SIDE_PX} are served from the archive",
        ) from error
