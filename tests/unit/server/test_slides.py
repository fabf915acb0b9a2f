"""A slide is opened through its tiles: DeepZoom, FHIR, and what is refused."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from fastapi.testclient import TestClient
from PIL import Image
from unit.server.ground import serving

from coin_retrieval.config import OpenClipEncoderSettings
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.search.retriever import Retriever
from indexer import build
from indexer.tiling.settings import Tiling
from server.app import create_app

pytest.importorskip("openslide", reason="the extra `slides` is not installed")

PATCHES = np.random.default_rng(0).integers(60, 220, (38, 50, 3), np.uint8)
SLIDE = PATCHES.repeat(16, 0).repeat(16, 1)
"""608 × 800 pixels, height and width, of squares."""


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory, formats_root: Path) -> list[Path]:
    folder = tmp_path_factory.mktemp("slides")
    with tifffile.TiffWriter(folder / "s1.tiff") as tiff:
        for level in range(2):
            tiff.write(
                SLIDE[:: 2**level, :: 2**level], tile=(128, 128), photometric="rgb",
                compression="zlib", subfiletype=level, metadata=None,
            )  # fmt: skip
    Image.fromarray(SLIDE[:64, :64]).save(folder / "plain.png")
    return [folder, formats_root / "sm_image.dcm"]


@pytest.fixture(scope="module")
def slides(
    sources: list[Path],
    encoder_settings: OpenClipEncoderSettings,
    make_retriever: Callable[[Path, Prototyper | None], Retriever],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[TestClient]:
    root = tmp_path_factory.mktemp("archive") / "archive"
    build(root, sources, encoder=encoder_settings, store="flat", tiling=Tiling(tile_px=200))
    with serving(create_app(lambda: make_retriever(root, None))) as client:
        yield client


def images(client: TestClient, case_id: str) -> list[dict]:  # type: ignore[type-arg]
    return list(client.get(f"/v1/cases/{case_id}").json()["images"])


def dicom_case(client: TestClient) -> str:
    (field,) = [f for f in client.get("/v1/archive").json()["fields"] if f["name"] == "dicom_study"]
    return str(field["values"][0]["value"])


def shown(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def test_a_picture_of_a_case_says_where_on_its_slide_it_lies(slides: TestClient) -> None:
    found = sorted(
        (i["region"]["y_px"], i["region"]["x_px"], i["region"]["width_px"])
        for i in images(slides, "s1")
    )
    assert found[:2] == [(0, 0, 200), (0, 200, 200)]
    assert found[-1] == (408, 600, 200)


def test_the_slide_is_described_for_a_viewer(slides: TestClient) -> None:
    (image, *_) = images(slides, "s1")
    answer = slides.get(f"/v1/images/{image['image_id']}/slide.dzi")
    assert answer.status_code == 200
    size = ElementTree.fromstring(answer.text)[0].attrib  # noqa: S314
    assert size == {"Width": "800", "Height": "608"}


@pytest.mark.parametrize(
    ("level", "tile", "box"),
    [
        (10, "0_0", (0, 0, 255, 255)),
        (10, "1_2", (253, 507, 509, 608)),
        (9, "1_0", (506, 0, 800, 510)),
    ],
)  # fmt: skip
def test_tiles_are_pixels_of_the_slide(
    slides: TestClient, level: int, tile: str, box: tuple[int, int, int, int]
) -> None:
    (image, *_) = images(slides, "s1")
    answer = slides.get(f"/v1/images/{image['image_id']}/slide_files/{level}/{tile}.jpeg")
    left, top, right, bottom = box
    scale = 2 ** (10 - level)
    expected = SLIDE[top:bottom:scale, left:right:scale].astype(int)
    pixels = shown(answer.content)
    assert pixels.shape == expected.shape
    assert np.abs(pixels - expected).mean() < 12


def test_the_coarsest_level_is_one_pixel(slides: TestClient) -> None:
    (image, *_) = images(slides, "s1")
    answer = slides.get(f"/v1/images/{image['image_id']}/slide_files/0/0_0.jpeg")
    assert shown(answer.content).shape == (1, 1, 3)


@pytest.mark.parametrize("path", ["10/9_0.jpeg", "11/0_0.jpeg", "40/0_0.jpeg"])
def test_what_lies_off_the_slide_is_404(slides: TestClient, path: str) -> None:
    (image, *_) = images(slides, "s1")
    assert slides.get(f"/v1/images/{image['image_id']}/slide_files/{path}").status_code == 404


def test_a_region_that_costs_too_much_is_not_decoded(
    slides: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.routes.slides.MOST_PIXELS", 1000)
    (image, *_) = images(slides, "s1")
    answer = slides.get(f"/v1/images/{image['image_id']}/slide_files/8/0_0.jpeg")
    assert answer.status_code == 404
    assert "1,000 pixels" in answer.json()["expected"]


def test_a_picture_of_its_own_has_no_slide(slides: TestClient) -> None:
    (image,) = images(slides, "plain")
    assert image["region"] is None
    answer = slides.get(f"/v1/images/{image['image_id']}/slide.dzi")
    assert (answer.status_code, "not from a slide" in answer.text) == (404, True)


def test_a_tile_is_served_as_large_as_it_was_indexed(slides: TestClient) -> None:
    (image, *_) = images(slides, "s1")
    answer = slides.get(f"/v1/images/{image['image_id']}?size=1024")
    at = image["region"]
    expected = SLIDE[at["y_px"] : at["y_px"] + 200, at["x_px"] : at["x_px"] + 200]
    assert np.array_equal(shown(answer.content), expected)


def test_a_dicom_picture_is_named_by_an_imaging_selection(slides: TestClient) -> None:
    (image,) = images(slides, dicom_case(slides))
    answer = slides.get(f"/v1/images/{image['image_id']}/imaging-selection")
    assert answer.headers["content-type"].startswith("application/fhir+json")
    found = answer.json()
    assert found["resourceType"] == "ImagingSelection"
    assert found["studyUid"].startswith("1.2.826.")
    (instance,) = found["instance"]
    assert instance["sopClass"]["code"] == "urn:oid:1.2.840.10008.5.1.4.1.1.77.1.6"
    assert instance["imageRegion2D"][0]["coordinate"][:6] == [0, 0, 50, 0, 50, 50]


def test_another_picture_has_no_imaging_selection(slides: TestClient) -> None:
    (image,) = images(slides, "plain")
    answer = slides.get(f"/v1/images/{image['image_id']}/imaging-selection")
    assert answer.status_code == 404


def test_a_slide_that_has_changed_is_not_opened(slides: TestClient, sources: list[Path]) -> None:
    (image, *_) = images(slides, "s1")
    path = sources[0] / "s1.tiff"
    whole = path.read_bytes()
    path.write_bytes(whole + b"\0")
    try:
        answer = slides.get(f"/v1/images/{image['image_id']}/slide.dzi")
    finally:
        path.write_bytes(whole)
    assert answer.status_code == 404
    assert str(sources[0]) not in answer.text
