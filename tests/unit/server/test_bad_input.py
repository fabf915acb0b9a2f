"""What cannot be used is refused, in one shape, with a status that fits."""

from __future__ import annotations

import io
import json
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from unit.server.ground import REPORT, disc, png

JSON = {"Content-Type": "application/json"}
FIELDS = {"type", "title", "status", "detail", "kind", "problem", "value", "expected", "remedy"}


def refusal(answer: Any, status: int) -> Any:
    """The error of an answer, after checking that it has the one shape."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    error = answer.json()
    assert set(error) == FIELDS
    assert error["status"] == status
    assert error["remedy"] or error["expected"]
    assert "Traceback" not in answer.text
    return error


@pytest.mark.parametrize("path", ["/v1/search", "/v1/generate"])
@pytest.mark.parametrize(
    "report",
    ["", "  \n ", "x" * 20_001, "12345 67890 !!", "nul\0byte", "half \ud800 pair"],
    ids=["empty", "blank", "enormous", "no words", "control", "surrogate"],
)
def test_a_report_that_is_none_is_refused(client: TestClient, path: str, report: str) -> None:
    body = json.dumps({"report": report}).encode()
    error = refusal(client.post(path, content=body, headers=JSON), 422)
    assert error["kind"] in ("report", "validation")


@pytest.mark.parametrize(
    "body",
    [
        {"report": 3},
        {"report": REPORT, "k": 0},
        {"report": REPORT, "k": 1_000_000},
        {"report": REPORT, "k": "many"},
        {"report": REPORT, "mode": "picture"},
        {"report": REPORT, "prototypes": 0},
        {"report": REPORT, "prototypes": 1000},
        {"report": REPORT, "seed": -1},
        {"report": REPORT, "seed": 2**40},
        {"report": REPORT, "seed": True},
        {"report": REPORT, "k": "5"},
        {"report": REPORT, "diversity": False},
        {"report": REPORT, "explain": 1},
        {"report": REPORT, "where": {"site": 3}},
        {"report": REPORT, "where": ["site"]},
        {"report": REPORT, "diversity": 1.5},
        {"report": REPORT, "liked": "C-3"},
        {"report": REPORT, "liked": ["C-3"] * 51},
        {"report": REPORT, "disliked": [""]},
        {"report": REPORT, "kk": 3},
        [REPORT],
    ],
    ids=str,
)
def test_a_field_that_does_not_fit_is_named(client: TestClient, body: Any) -> None:
    error = refusal(client.post("/v1/search", json=body), 422)
    assert error["kind"] == "validation"
    assert error["problem"].startswith("body")


@pytest.mark.parametrize("body", [{}, {"report": REPORT, "mode": "image"}, {"mode": "image"}])
def test_a_question_with_nothing_to_search_with_is_refused(client: TestClient, body: Any) -> None:
    answer = client.post("/v1/search", json=body)
    assert answer.json()["kind"] in ("report", "input")
    assert answer.status_code in (400, 422)


def test_a_refused_field_does_not_quote_the_report(client: TestClient) -> None:
    body = {"report": REPORT, "k": 0}
    assert "orange-red" not in client.post("/v1/search", json=body).text


def test_an_unknown_marked_case_is_refused(client: TestClient) -> None:
    error = refusal(client.post("/v1/search", json={"report": REPORT, "liked": ["Z-9"]}), 404)
    assert error["value"] == "Z-9"


def test_a_case_marked_both_ways_is_refused(client: TestClient) -> None:
    body = {"report": REPORT, "liked": ["C-3"], "disliked": ["C-3"]}
    refusal(client.post("/v1/search", json=body), 400)


def test_a_form_field_out_of_range_is_named(client: TestClient) -> None:
    error = refusal(search_with(client, png(disc(1)), diversity="2"), 422)
    assert "diversity" in error["problem"]


def test_an_unknown_filter_field_lists_those_that_exist(client: TestClient) -> None:
    body = {"report": REPORT, "where": {"planet": "Mars"}}
    error = refusal(client.post("/v1/search", json=body), 422)
    assert error["kind"] == "filter"
    assert error["value"] == "planet"
    assert "site" in error["expected"]


@pytest.mark.parametrize(
    "content",
    [b"{", b"", b"\xff\xfe", b"[" * 50_000, b'{"report": "\xff"}'],
    ids=["cut", "empty", "binary", "nested", "latin"],
)
def test_a_body_that_is_no_json_is_refused(client: TestClient, content: bytes) -> None:
    answer = client.post("/v1/search", content=content, headers=JSON)
    refusal(answer, 422 if not content else 400)


def test_numbers_that_json_does_not_have_are_refused(client: TestClient) -> None:
    content = b'{"report": "A report of cells.", "k": NaN}'
    refusal(client.post("/v1/search", content=content, headers=JSON), 422)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_refused(client: TestClient, kind: str) -> None:
    answer = client.post("/v1/search", content=b"report=x", headers={"Content-Type": kind})
    error = refusal(answer, 415)
    assert error["expected"] == "application/json"


def test_an_image_search_takes_a_form_only(client: TestClient) -> None:
    refusal(client.post("/v1/search/image", content=png(disc(1)), headers=JSON), 415)


def test_a_long_body_is_refused_by_its_declared_length(client: TestClient) -> None:
    answer = client.post("/v1/search", json={"report": "x" * 150_000})
    error = refusal(answer, 413)
    assert error["kind"] == "body_size"
    assert "100000" in error["expected"]


def test_a_long_body_without_a_length_is_refused_before_it_is_read_whole(
    client: TestClient,
) -> None:
    sent = []

    def parts() -> Iterator[bytes]:
        yield b'{"report": "'
        for number in range(1000):
            sent.append(number)
            yield b"x" * 10_000

    refusal(client.post("/v1/search", content=parts(), headers=JSON), 413)


def test_a_large_upload_is_refused(client: TestClient) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (400, 400, 3), np.uint8)
    files = {"image": ("big.png", png(Image.fromarray(noise)))}
    refusal(client.post("/v1/search/image", files=files), 413)


def test_an_unknown_address_is_refused_in_the_same_shape(client: TestClient) -> None:
    assert refusal(client.get("/v1/nothing"), 404)["kind"] == "not_found"
    assert refusal(client.get("/static/../app.py"), 404)["kind"] == "not_found"


def test_another_method_is_refused_in_the_same_shape(client: TestClient) -> None:
    answer = client.get("/v1/search")
    assert refusal(answer, 405)["value"] == "GET"
    assert answer.headers["allow"] == "POST"
    assert client.put("/v1/session").headers["allow"] == "DELETE, GET, POST"
    assert client.put("/").headers["allow"] == "GET"


def search_with(client: TestClient, data: bytes, **form: str) -> Any:
    return client.post("/v1/search/image", files={"image": ("x.png", data)}, data=form)


def bomb() -> bytes:
    """A PNG whose header promises 81 megapixels, of which it holds none."""
    header = struct.pack(">IIBBBBB", 9_000, 9_000, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        body = kind + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    pixels = zlib.compress(bytes(100_000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    "data",
    [b"", b"not a picture", png(disc(1))[:300], bomb(), b"%PDF-1.7 " + bytes(2000)],
    ids=["empty", "text", "truncated", "bomb", "pdf"],
)
def test_a_file_that_is_no_usable_picture_is_refused(client: TestClient, data: bytes) -> None:
    assert refusal(search_with(client, data), 422)["kind"] == "image"


def test_a_bomb_is_refused_by_the_pixels_its_header_promises(client: TestClient) -> None:
    assert "9000 × 9000" in refusal(search_with(client, bomb()), 422)["value"]


def as_file(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        as_file(disc(1).convert("CMYK"), "JPEG"),
        as_file(Image.fromarray(np.full((9, 9), 40_000, np.uint16)), "PNG"),
        as_file(disc(1), "GIF", save_all=True, append_images=[disc(2)]),
        as_file(disc(1).convert("RGBA"), "WEBP"),
    ],
    ids=["cmyk", "16 bit", "animated", "alpha"],
)
def test_an_odd_but_whole_picture_is_searched_with(client: TestClient, data: bytes) -> None:
    assert search_with(client, data).status_code == 200


def test_an_image_search_without_an_image_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/search/image", files={"other": ("x", b"x")})
    assert "image" in refusal(answer, 422)["problem"]


@pytest.mark.parametrize("where", ["{", "[]", '{"site": 3}', "site=cervix"])
def test_a_filter_that_is_no_json_object_is_refused(client: TestClient, where: str) -> None:
    error = refusal(search_with(client, png(disc(1)), where=where), 422)
    assert error["kind"] == "validation"
    assert "where" in error["problem"]


def test_a_form_without_a_boundary_is_refused(client: TestClient) -> None:
    answer = client.post(
        "/v1/search/image", content=b"x", headers={"Content-Type": "multipart/form-data"}
    )
    refusal(answer, 400)
