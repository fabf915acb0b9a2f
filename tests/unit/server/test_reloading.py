"""A version that is published while the server answers."""

from __future__ import annotations

import csv
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi.testclient import TestClient
from unit.server.ground import COLUMNS, PATIENCE_S, REPORT, ROWS, serving

from coin_retrieval.config import OpenClipEncoderSettings
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.search.retriever import Retriever
from indexer import build
from server.app import create_app
from server.limits import ServerLimits

MakeRetriever = Callable[[Path, Prototyper | None], Retriever]
SOON = ServerLimits(look_every_s=0.05)


def publish(root: Path, encoder: OpenClipEncoderSettings, *, rows: int) -> str:
    """The archive anew, with the first ``rows`` of its pictures; returns the version's name."""
    table = root.parent / "sources" / "cases.csv"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([COLUMNS, *ROWS[:rows]])
    build(root, table, encoder=encoder, drop=True, threads=1)
    return (root / "CURRENT").read_text().strip()


def until(client: TestClient, fact: Callable[[Any], bool]) -> Any:
    waiting = threading.Event()
    for _ in range(PATIENCE_S * 20):
        ready = client.get("/readyz")
        if fact(ready.json()):
            assert ready.status_code == 200
            return ready.json()
        waiting.wait(0.05)
    raise AssertionError(ready.json())


def case_ids(client: TestClient) -> set[str]:
    answer = client.post("/v1/search", json={"report": REPORT, "mode": "text", "k": 50})
    assert answer.status_code == 200
    return {case["case_id"] for case in answer.json()["cases"]}


def test_a_new_version_answers_as_soon_as_it_is_published(
    make_archive: Callable[[Path], Path],
    make_retriever: MakeRetriever,
    encoder_settings: OpenClipEncoderSettings,
    tmp_path: Path,
) -> None:
    root = make_archive(tmp_path)
    with serving(create_app(lambda: make_retriever(root, None), limits=SOON)) as client:
        assert "E-5" in case_ids(client)
        assert client.get("/v1/archive").json()["images"] == len(ROWS)
        fresh = publish(root, encoder_settings, rows=4)
        until(client, lambda ready: ready["version"] == fresh)
        assert case_ids(client) == {"A-1", "B/2", "C-3"}
        assert client.get("/v1/archive").json()["images"] == 4
        assert client.get("/v1/cases/E-5").status_code == 404


def test_a_request_that_is_being_answered_keeps_its_version(
    make_archive: Callable[[Path], Path],
    make_retriever: MakeRetriever,
    encoder_settings: OpenClipEncoderSettings,
    tmp_path: Path,
) -> None:
    root = make_archive(tmp_path)
    app = create_app(lambda: make_retriever(root, None), limits=SOON)
    with serving(app) as client:
        with app.state.services.loading.lease() as held:
            fresh = publish(root, encoder_settings, rows=2)
            until(client, lambda ready: ready["version"] == fresh)
            assert set(held.archive.catalog.cases(["E-5"])) == {"E-5"}
            assert held.archive.version != fresh
        assert case_ids(client) == {"A-1"}


def test_a_version_that_cannot_be_served_is_told_and_the_old_one_answers_on(
    make_archive: Callable[[Path], Path],
    make_retriever: MakeRetriever,
    encoder_settings: OpenClipEncoderSettings,
    tmp_path: Path,
) -> None:
    root = make_archive(tmp_path)
    with serving(create_app(lambda: make_retriever(root, None), limits=SOON)) as client:
        old = (root / "CURRENT").read_text()
        (root / "CURRENT").write_text("000999")
        told = until(client, lambda ready: ready["problems"])
        assert told["problems"] == ["archive: archive_corrupt"]
        assert "E-5" in case_ids(client)
        (root / "CURRENT").write_text(old)
        until(client, lambda ready: not ready["problems"])


def test_a_cache_that_cannot_be_written_is_told(
    archive_dir: Path, make_retriever: MakeRetriever, generator: Prototyper, tmp_path: Path
) -> None:
    retriever = make_retriever(archive_dir, generator)
    with serving(create_app(lambda: retriever)) as client:
        assert client.get("/readyz").json()["problems"] == []
        (tmp_path / "file").touch()
        retriever.cache.root = tmp_path / "file" / "cache"
        assert "cache" in client.get("/readyz").json()["problems"][0]
        answer = client.post("/v1/search", json={"report": REPORT})
        assert answer.status_code == 200
        assert "cache cannot be written" in str(answer.json()["notices"])
