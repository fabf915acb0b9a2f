"""Pictures of the archive and of the cache."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from unit.server.ground import PHOTO_NOTE, PHOTO_SIZE_PX, REPORT, serving

from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.search.retriever import Retriever
from server.app import create_app


def photo_id(client: TestClient) -> int:
    (image,) = client.get("/v1/cases/E-5").json()["images"]
    return int(image["image_id"])


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


@pytest.mark.parametrize("size", [16, 100, 256, 257, 800, 1024])
def test_a_picture_is_as_large_as_asked_for_but_never_enlarged(
    client: TestClient, size: int
) -> None:
    image = opened(client.get(f"/v1/images/{photo_id(client)}?size={size}").content)
    assert max(image.size) == min(size, max(PHOTO_SIZE_PX))


def test_without_a_size_the_thumbnail_comes(client: TestClient) -> None:
    answer = client.get(f"/v1/images/{photo_id(client)}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert max(opened(answer.content).size) == 256


def test_a_large_picture_is_lossless_and_shows_what_the_source_shows(client: TestClient) -> None:
    answer = client.get(f"/v1/images/{photo_id(client)}?size=1024")
    assert answer.headers["content-type"] == "image/png"
    assert opened(answer.content).size == PHOTO_SIZE_PX


@pytest.mark.parametrize("size", [64, 256, 1024])
def test_the_metadata_of_a_source_never_leaves_the_server(client: TestClient, size: int) -> None:
    answer = client.get(f"/v1/images/{photo_id(client)}?size={size}")
    assert PHOTO_NOTE.encode() not in answer.content
    assert not opened(answer.content).getexif()


@pytest.mark.parametrize("size", [-1, 0, 15, 1025, "large"])
def test_a_size_out_of_range_is_refused(client: TestClient, size: object) -> None:
    assert client.get(f"/v1/images/{photo_id(client)}?size={size}").status_code == 422


@pytest.mark.parametrize("image_id", ["987654321", "-1", "9" * 30, "one"])
def test_an_id_that_names_no_picture_is_refused(client: TestClient, image_id: str) -> None:
    answer = client.get(f"/v1/images/{image_id}")
    assert answer.status_code in (404, 422)
    assert answer.json()["problem"]


def test_a_browser_that_has_a_picture_is_not_sent_it_again(client: TestClient) -> None:
    path = f"/v1/images/{photo_id(client)}?size=300"
    tag = client.get(path).headers["etag"]
    again = client.get(path, headers={"If-None-Match": f'"other", W/{tag}'})
    assert again.status_code == 304
    assert again.content == b""


def test_each_size_of_a_picture_has_a_tag_of_its_own(client: TestClient) -> None:
    paths = [f"/v1/images/{photo_id(client)}?size={size}" for size in (64, 256, 512)]
    assert len({client.get(path).headers["etag"] for path in paths}) == 3


def test_pictures_stay_out_of_shared_caches(client: TestClient) -> None:
    cached = client.get(f"/v1/images/{photo_id(client)}").headers["cache-control"]
    assert "private" in cached
    assert "public" not in cached


@pytest.fixture
def own_archive(
    tmp_path: Path,
    make_archive: Callable[[Path], Path],
    make_retriever: Callable[[Path, Prototyper | None], Retriever],
) -> Iterator[tuple[TestClient, Path]]:
    """A client, and the folder of the pictures that it may harm."""
    root = make_archive(tmp_path)
    with serving(create_app(lambda: make_retriever(root, None))) as client:
        yield client, tmp_path / "sources"


def test_a_source_that_has_gone_is_404_and_its_thumbnail_is_still_served(
    own_archive: tuple[TestClient, Path],
) -> None:
    client, sources = own_archive
    (sources / "photo.jpg").unlink()
    answer = client.get(f"/v1/images/{photo_id(client)}?size=1024")
    assert answer.status_code == 404
    assert "coin-index build" in answer.json()["remedy"]
    assert str(sources) not in answer.text
    assert client.get(f"/v1/images/{photo_id(client)}?size=256").status_code == 200


def test_a_source_that_has_changed_is_not_shown_as_what_was_indexed(
    own_archive: tuple[TestClient, Path],
) -> None:
    client, sources = own_archive
    (sources / "photo.jpg").write_bytes((sources / "a.png").read_bytes())
    answer = client.get(f"/v1/images/{photo_id(client)}?size=1024")
    assert answer.status_code == 404
    assert "changed" in answer.json()["problem"]


def test_a_prototype_says_in_its_metadata_that_it_is_synthetic(client: TestClient) -> None:
    drawn = client.post("/v1/generate", json={"report": REPORT, "n": 1}).json()
    (prototype,) = drawn["prototypes"]
    answer = client.get(prototype["path"])
    assert answer.headers["content-type"] == "image/png"
    assert opened(answer.content).info["synthetic"] == "true"
    assert prototype["id"] in answer.headers["etag"]


@pytest.mark.parametrize("name", ["0" * 64, "..%2f..%2fsecret", "x", "%2e%2e", "0" * 63 + "G"])
def test_an_id_that_names_no_prototype_is_404(client: TestClient, name: str) -> None:
    assert client.get(f"/v1/prototypes/{name}.png").status_code == 404
