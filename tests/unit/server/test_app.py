"""Loading, readiness, headers, the description, the log."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from unit.server.ground import (
    OWN,
    PATIENCE_S,
    PRIVATE,
    REPORT,
    GatedGenerator,
    MakeApp,
    disc,
    png,
    serving,
)

from coin_retrieval.errors import WeightsError
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.search.retriever import Retriever
from server.app import create_app
from server.limits import ServerLimits
from server.routes.page import STATIC

MakeRetriever = Callable[[Path, Prototyper | None], Retriever]


def test_while_the_models_load_the_server_says_so_and_shows_its_page(
    archive_dir: Path, make_retriever: MakeRetriever
) -> None:
    loaded = threading.Event()

    def load() -> Retriever:
        assert loaded.wait(PATIENCE_S)
        return make_retriever(archive_dir, None)

    with TestClient(create_app(load), base_url=OWN) as client:
        try:
            ready = client.get("/readyz")
            assert (ready.status_code, ready.json()["status"]) == (503, "loading")
            assert client.get("/healthz").status_code == 200
            assert client.get("/").status_code == 200
            refused = client.post("/v1/search", json={"report": REPORT})
            assert refused.status_code == 503
            assert refused.json()["kind"] == "not_ready"
            assert int(refused.headers["retry-after"]) > 0
        finally:
            loaded.set()


def test_a_server_that_has_loaded_is_ready(client: TestClient) -> None:
    ready = client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "ready")


def test_the_warm_up_leaves_no_prototype_behind(
    archive_dir: Path, generator: Prototyper, make_retriever: MakeRetriever
) -> None:
    retriever = make_retriever(archive_dir, generator)
    with serving(create_app(lambda: retriever)) as client:
        assert client.get("/readyz").status_code == 200
        assert not list(retriever.cache.root.rglob("*.png"))


def test_models_that_cannot_be_loaded_are_told_to_the_operator_and_not_to_the_client() -> None:
    failures: list[Exception] = []

    def load() -> Retriever:
        raise WeightsError("/srv/models/x is broken", value="/srv/models/x")

    with serving(create_app(load, on_failure=failures.append)) as client:
        ready = client.get("/readyz")
        refused = client.post("/v1/search", json={"report": REPORT})
    assert (ready.status_code, ready.json()["status"]) == (503, "failed")
    assert refused.status_code == 503
    assert "/srv" not in refused.text
    assert [str(failure) for failure in failures] == [
        "/srv/models/x is broken; got '/srv/models/x'"
    ]


@pytest.fixture
def held_up(
    generator: Prototyper, make_app: MakeApp
) -> Iterator[tuple[TestClient, GatedGenerator]]:
    """A server that draws one report at a time and lets none wait; its generator can be held."""
    gated = GatedGenerator(generator)
    limits = ServerLimits(drawing_workers=1, drawing_queue=0)
    app = make_app(gated, limits=limits)
    with serving(app) as client:
        gated.drawing.clear()
        gated.open.clear()
        drawing = threading.Thread(
            target=client.post, args=("/v1/generate",), kwargs={"json": {"report": REPORT}}
        )
        drawing.start()
        assert gated.drawing.wait(PATIENCE_S)
        yield client, gated
        gated.open.set()
        drawing.join(PATIENCE_S)


def test_while_the_generator_draws_further_reports_are_refused_at_once(
    held_up: tuple[TestClient, GatedGenerator],
) -> None:
    client, _ = held_up
    refused = client.post("/v1/search", json={"report": REPORT})
    assert refused.status_code == 503
    assert refused.json()["kind"] == "busy"
    assert int(refused.headers["retry-after"]) > 0


def test_while_the_generator_draws_everything_else_is_answered(
    held_up: tuple[TestClient, GatedGenerator],
) -> None:
    client, gated = held_up
    by_image = client.post("/v1/search/image", files={"image": ("x", png(disc(1)))})
    by_text = client.post("/v1/search", json={"report": REPORT, "mode": "text"})
    assert (by_image.status_code, by_text.status_code) == (200, 200)
    picture = by_image.json()["cases"][0]["images"][0]["uri"]
    for path in (picture, "/v1/archive", "/v1/cases/A-1", "/healthz", "/readyz", "/"):
        assert client.get(path).status_code == 200
    assert not gated.open.is_set()


def test_a_queue_that_was_full_takes_reports_again(
    held_up: tuple[TestClient, GatedGenerator],
) -> None:
    client, gated = held_up
    assert client.post("/v1/generate", json={"report": REPORT, "seed": 8}).status_code == 503
    gated.open.set()
    waiting = threading.Event()
    for _ in range(PATIENCE_S * 50):
        answer = client.post("/v1/generate", json={"report": REPORT, "seed": 8})
        if answer.status_code == 200:
            break
        waiting.wait(0.02)
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/static/visit/page.js", "/v1/archive", "/v1/nothing", "/readyz"]
)
def test_every_answer_carries_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-request-id"]


def test_a_body_refused_for_its_size_carries_the_security_headers_too(
    client: TestClient,
) -> None:
    answer = client.post("/v1/search", json={"report": "x" * 150_000})
    assert answer.headers["x-content-type-options"] == "nosniff"


def test_answers_are_not_kept_by_browsers(client: TestClient) -> None:
    answer = client.post("/v1/search", json={"report": REPORT, "mode": "text"})
    assert answer.headers["cache-control"] == "no-store"


def test_the_page_and_its_parts_come_from_this_server_alone(client: TestClient) -> None:
    for file in (file for file in STATIC.rglob("*") if file.is_file()):
        own = re.sub(r'xmlns="[^"]*"', "", file.read_text())
        assert not re.search(r"(https?:)?//[a-z]+\.", own), file.name
        assert not re.search(r"\sstyle=|<script>|<style|\son[a-z]+=", own), file.name
        assert client.get(f"/static/{file.relative_to(STATIC)}").status_code == 200


def test_the_page_says_that_it_gives_no_diagnosis(client: TestClient) -> None:
    assert "Reference and decision support. Not a diagnosis." in client.get("/").text


def test_every_operation_is_described(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    assert set(paths) == {
        "/v1/search", "/v1/search/image", "/v1/search/layout", "/v1/search/stream",
        "/v1/search/fhir", "/cds-services", "/cds-services/similar-cytology",
        "/cds-services/similar-cytology/feedback", "/v1/generate",
        "/v1/prototypes/{prototype_id}.png",
        "/v1/images/{image_id}", "/v1/images/{image_id}/imaging-selection",
        "/v1/images/{image_id}/slide.dzi", "/v1/images/{image_id}/slide_files/{level}/{tile}",
        "/v1/cases/{case_id}", "/v1/archive",
        "/healthz", "/readyz", "/metrics",
        "/v1/jobs", "/v1/jobs/{job_id}", "/v1/drift",
        "/v1/session", "/v1/session/provider", "/v1/session/callback",
        "/v1/study", "/v1/study/answers", "/v1/study/pictures/{name}",
    }  # fmt: skip
    for methods in paths.values():
        for operation in methods.values():
            assert operation["summary"]
            assert operation["description"]


def test_the_description_shows_the_shape_of_refusals(client: TestClient) -> None:
    api = client.get("/openapi.json").json()
    for path, methods in api["paths"].items():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if status.startswith(("4", "5")) and not path.endswith("readyz"):
                    schema = answer["content"]["application/problem+json"]["schema"]
                    assert schema == {"$ref": "#/components/schemas/Problem"}


def test_the_log_never_holds_a_report(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        report = f"{PRIVATE} with pale cytoplasm."
        bodies = ({}, {"k": 0}, {"where": {PRIVATE: "x"}}, {"mode": "text"}, {PRIVATE: 1})
        for extra in bodies:
            client.post("/v1/search", json={"report": report, **extra})
        client.post("/v1/search", json={"report": f"{PRIVATE} " * 2000})
        client.post("/v1/search", content=f'{{"report": "{PRIVATE}'.encode())
        client.post("/v1/generate", json={"report": report})
        client.get(f"/v1/search?report={PRIVATE}")
        client.get(f"/{PRIVATE}")
    ours = [record.getMessage() for record in caplog.records if record.name == "coin.server"]
    assert len(ours) == 10
    client_side = ("httpx", "httpx2", "httpcore", "httpcore2", "asyncio")
    for record in caplog.records:
        if not record.name.startswith(client_side):
            assert PRIVATE.split()[0] not in record.getMessage()


def test_the_archive_is_left_as_it_was(client: TestClient, archive_dir: Path) -> None:
    def state() -> dict[Path, tuple[int, int]]:
        stats = {path: path.stat() for path in archive_dir.rglob("*")}
        return {path: (stat.st_size, stat.st_mtime_ns) for path, stat in stats.items()}

    before = state()
    photo = {"image": ("x.png", png(disc(5)), "image/png")}
    assert client.post("/v1/search/image", files=photo).status_code == 200
    answer = client.post("/v1/search", json={"report": REPORT, "seed": 5150})
    uri = answer.raise_for_status().json()["cases"][0]["images"][0]["uri"]
    assert client.get(uri).status_code == 200
    assert client.get("/v1/cases/A-1").status_code == 200
    assert state() == before


def test_an_unexpected_fault_is_answered_in_shape_and_logged_without_its_text(
    make_app: MakeApp, caplog: pytest.LogCaptureFixture
) -> None:
    app = make_app()

    def broken() -> None:
        raise RuntimeError(PRIVATE)

    app.add_api_route("/broken", broken)
    with serving(app) as client, caplog.at_level(logging.INFO):
        answer = client.get("/broken")
    assert answer.status_code == 500
    error = answer.json()
    assert error["kind"] == "internal"
    assert PRIVATE not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    fault = next(r.getMessage() for r in caplog.records if "RuntimeError" in r.getMessage())
    assert error["value"] in fault
    assert "in broken" in fault or " broken" in fault
    assert PRIVATE not in caplog.text
