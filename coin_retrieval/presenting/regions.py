"""Where on its slide a picture lies: for answers, for QuPath (GeoJSON) and as a FHIR resource."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from pydantic import BaseModel, ConfigDict, Field

from coin_retrieval.errors import NotFoundError

if TYPE_CHECKING:
    from coin_retrieval.presenting.answer import CaseAnswer
    from coin_retrieval.types import ImageRecord

_URIS = "urn:ietf:rfc:3986"


class RegionView(BaseModel):
    """Where on a slide, in pixels of its finest level; the origin is its upper left corner."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slide_id: str
    x_px: int
    y_px: int
    width_px: int
    height_px: int
    mpp_um: float | None = Field(
        description="micrometres a pixel of the picture as it was read; null where unknown"
    )


def region_of(image: ImageRecord) -> RegionView | None:
    """Where a picture lies on its slide; ``None`` of what is no tile."""
    # a client that only reads answers loads no decoder
    from coin_retrieval.images.containers.parts import part_of, tile_of

    tile = tile_of(part_of(image.uri))
    if tile is None:
        return None
    at = tile.region
    return RegionView(
        slide_id=image.slide_id,
        x_px=at.x_px,
        y_px=at.y_px,
        width_px=at.width_px,
        height_px=at.height_px,
        mpp_um=image.mpp_um,
    )


def slide_annotations(
    cases: Sequence[CaseAnswer], own: Sequence[CaseAnswer] = ()
) -> dict[str, dict[str, Any]]:
    """The tiles of an answer as GeoJSON, one collection a slide, for QuPath to import into it.

    Coordinates are pixels of the finest level, as QuPath's are (qupath.readthedocs.io, GeoJSON).

    Args:
        own: cases that the query itself comes from.
    """
    found: dict[str, dict[str, Any]] = {}
    ranks = [*range(1, len(cases) + 1), *("own" for _ in own)]
    for rank, case in zip(ranks, [*cases, *own], strict=True):
        for image in case.images:
            if image.region is None:
                continue
            none: dict[str, Any] = {"type": "FeatureCollection", "features": []}
            slide = found.setdefault(image.region.slide_id, none)
            properties: dict[str, Any] = {
                "objectType": "annotation",
                "name": f"{rank} · {case.case_id}",
                "measurements": {"similarity": image.similarity},
            }
            if image.diagnosis:
                properties["classification"] = {"name": image.diagnosis, "color": [200, 60, 60]}
            slide["features"].append(
                {
                    "type": "Feature",
                    "id": str(uuid5(NAMESPACE_URL, f"coin:{image.image_id}")),
                    "geometry": {"type": "Polygon", "coordinates": [_ring(image.region)]},
                    "properties": properties,
                }
            )
    return found


def imaging_selection(image: ImageRecord) -> dict[str, Any]:
    """The picture as a FHIR R5 ImagingSelection: the instance, and the frame or the region of it.

    A region is a polyline in the total pixel matrix, its corners by column and row. Patients are
    not named: who reads it knows the study.

    Raises:
        NotFoundError: it is not of a DICOM instance.
    """
    from coin_retrieval.images.containers.parts import fields, part_of

    said = image.attributes
    if not all(said.get(name) for name in ("dicom_study", "dicom_series", "dicom_instance")):
        raise NotFoundError(
            "the picture is not of a DICOM instance",
            value=image.image_id,
            expected="a picture that was indexed from DICOM",
        )
    instance: dict[str, Any] = {"uid": said["dicom_instance"]}
    if sop_class := said.get("dicom_class"):
        instance["sopClass"] = {"system": _URIS, "code": f"urn:oid:{sop_class}"}
    region = region_of(image)
    if region is not None:
        corners = [float(number) for corner in _ring(region) for number in corner]
        instance["imageRegion2D"] = [{"regionType": "polyline", "coordinate": corners}]
    elif frame := fields(part_of(image.uri)).get("frame"):
        instance["subset"] = [frame]
    return {
        "resourceType": "ImagingSelection",
        "status": "available",
        "identifier": [{"system": _URIS, "value": f"urn:sha256:{image.content_hash}"}],
        "code": {"text": "Picture of a similar case, for reference"},
        "studyUid": said["dicom_study"],
        "seriesUid": said["dicom_series"],
        "instance": [instance],
    }


def _ring(region: RegionView) -> list[list[int]]:
    """Its corners; the last is the first again."""
    left, top = region.x_px, region.y_px
    right, bottom = left + region.width_px, top + region.height_px
    return [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
