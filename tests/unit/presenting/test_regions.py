"""Where tiles lie on their slides, as answers, QuPath and FHIR have it."""

from __future__ import annotations

import pytest

from coin_retrieval.errors import NotFoundError
from coin_retrieval.presenting.answer import CaseAnswer, ImageAnswer
from coin_retrieval.presenting.regions import imaging_selection, region_of, slide_annotations
from coin_retrieval.types import ImageId, ImageRecord

DICOM = {"dicom_study": "1.2", "dicom_series": "1.2.3", "dicom_instance": "1.2.3.4"}


def record(part: str, **attributes: str) -> ImageRecord:
    return ImageRecord(
        image_id=ImageId(7), case_id="c1", uri=f"file:///s.svs#{part}", content_hash="ab" * 32,
        width_px=256, height_px=128, mpp_um=0.5, slide_id="s", attributes=attributes,
    )  # fmt: skip


TILE = record("xywh=100,200,512,256&size=256,128", **DICOM)


def a_case(case_id: str, *images: ImageRecord, diagnosis: str = "") -> CaseAnswer:
    shown = [
        ImageAnswer.model_construct(
            image_id=image.image_id, similarity=0.9, diagnosis=diagnosis, region=region_of(image)
        )
        for image in images
    ]
    return CaseAnswer.model_construct(case_id=case_id, images=shown)


def test_a_tile_knows_its_region_in_pixels_of_the_finest_level() -> None:
    region = region_of(TILE)
    assert region is not None
    assert (region.x_px, region.y_px, region.width_px, region.height_px) == (100, 200, 512, 256)
    assert (region.slide_id, region.mpp_um) == ("s", 0.5)


def test_what_is_no_tile_has_no_region() -> None:
    assert region_of(record("member=a.png")) is None
    assert region_of(record("")) is None


def test_the_tiles_of_an_answer_are_closed_polygons_a_collection_a_slide() -> None:
    found = slide_annotations(
        [a_case("c1", TILE, diagnosis="HSIL"), a_case("c2", record("member=a.png"))]
    )
    (feature,) = found.pop("s")["features"]
    assert not found
    (ring,) = feature["geometry"]["coordinates"]
    assert ring == [[100, 200], [612, 200], [612, 456], [100, 456], [100, 200]]
    assert feature["properties"]["classification"]["name"] == "HSIL"
    assert feature["properties"]["name"] == "1 · c1"


def test_the_case_that_the_query_comes_from_is_called_so() -> None:
    (feature,) = slide_annotations([], [a_case("c1", TILE)])["s"]["features"]
    assert feature["properties"]["name"] == "own · c1"


def test_a_frame_is_a_subset_of_its_instance() -> None:
    (instance,) = imaging_selection(record("frame=3", **DICOM))["instance"]
    assert instance == {"uid": "1.2.3.4", "subset": ["3"]}


def test_a_region_is_a_polyline_in_the_pixel_matrix() -> None:
    (instance,) = imaging_selection(TILE)["instance"]
    (shape,) = instance["imageRegion2D"]
    assert shape["regionType"] == "polyline"
    assert shape["coordinate"] == [100, 200, 612, 200, 612, 456, 100, 456, 100, 200]


def test_a_picture_of_no_instance_has_no_selection() -> None:
    with pytest.raises(NotFoundError, match="not of a DICOM instance"):
        imaging_selection(record("member=a.png"))
