"""What the audit log, the metrics and the log's lines say of a request."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from typer.testing import CliRunner
from unit.server.ground import PRIVATE, REPORT, MakeApp, disc, png, serving

from server.access.keys import KeyFile
from server.access.principals import Role
from server.access.settings import AccessSettings
from server.audit.chain import AuditLog, audit_files, read_key, records
from server.audit.verify import verify
from server.cli.main import app as command
from server.http.logs import JsonLines

QUESTION = {"report": REPORT, "mode": "text", "k": 2}


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "keys.json")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audit"


@pytest.fixture
def audited(make_app: MakeApp, keys: KeyFile, folder: Path) -> Iterator[TestClient]:
    with AuditLog(folder, key=read_key(folder / "key"), keep_days=400) as log:
        app = make_app(
            access=AccessSettings(keys=keys.path),
            audit=log,
        )
        with serving(app) as client:
            yield client


def written(folder: Path) -> list[dict[str, Any]]:
    return [record for path in audit_files(folder) for record in records(path)]


def bearer(keys: KeyFile, name: str = "ward-3", role: Role = Role.READER) -> dict[str, str]:
    return {"Authorization": f"Bearer {keys.add(name, role)}"}


def test_a_search_is_written_down_with_who_asked_and_what_was_shown(
    audited: TestClient, keys: KeyFile, folder: Path
) -> None:
    answer = audited.post("/v1/search", json=QUESTION, headers=bearer(keys))
    record = written(folder)[-1]
    assert record["who"] == "key:ward-3"
    assert (record["what"], record["status"]) == ("POST /v1/search", 200)
    assert record["cases"] == [case["case_id"] for case in answer.json()["cases"]]
    assert record["request"] == answer.headers["x-request-id"]
    assert record["archive"] == answer.json()["plan"]["archive_version"]
    assert len(record["plan"]) == len(record["query"]) == 64


def test_the_same_question_has_the_same_hash_and_no_word_of_it_is_written(
    audited: TestClient, keys: KeyFile, folder: Path
) -> None:
    headers = bearer(keys)
    for report in (f"{PRIVATE} cells.", f"{PRIVATE} cells.", "Other cells."):
        audited.post("/v1/search", json={**QUESTION, "report": report}, headers=headers)
    audited.post("/v1/search", json={**QUESTION, "where": {PRIVATE: "x"}}, headers=headers)
    one, again, other, _ = (record.get("query") for record in written(folder))
    assert one == again != other
    text = "".join(path.read_text() for path in audit_files(folder))
    assert not [word for word in PRIVATE.split() if word in text]


def test_pictures_and_cases_that_were_fetched_are_written_down(
    audited: TestClient, keys: KeyFile, folder: Path
) -> None:
    headers = bearer(keys)
    by_image = audited.post(
        "/v1/search/image", files={"image": ("x", png(disc(1)))}, headers=headers
    ).json()
    uri = by_image["cases"][0]["images"][0]["uri"]
    audited.get(uri, headers=headers)
    audited.get("/v1/cases/A-1", headers=headers)
    asked, picture, case = written(folder)
    assert len(asked["query"]) == 64
    assert picture["picture"] == int(uri.rsplit("/", 1)[1])
    assert case["cases"] == ["A-1"]


def test_who_was_refused_is_written_down_too(
    audited: TestClient, keys: KeyFile, folder: Path
) -> None:
    audited.post("/v1/search", json=QUESTION)
    audited.post("/v1/search", json={"report": ""}, headers=bearer(keys))
    assert [(one["who"], one["status"]) for one in written(folder)] == [
        ("nobody", 401), ("key:ward-3", 422),
    ]  # fmt: skip


def test_what_cannot_be_written_down_is_not_answered(
    audited: TestClient, keys: KeyFile, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = bearer(keys)
    write = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda file, data: write(file, data[:10]))
        refused = audited.post("/v1/search", json=QUESTION, headers=headers)
    assert (refused.status_code, refused.json()["kind"]) == (503, "not_recorded")
    assert "cases" not in refused.json()
    assert audited.post("/v1/search", json=QUESTION, headers=headers).status_code == 200
    assert verify(folder, key=read_key(folder / "key")).problems == []


def test_the_command_line_verifies_and_shows_the_weeks(
    audited: TestClient, keys: KeyFile, folder: Path
) -> None:
    for _ in range(3):
        audited.post("/v1/search", json=QUESTION, headers=bearer(keys))
    run = CliRunner()
    assert "The log is whole." in run.invoke(command, ["audit", "verify", str(folder)]).stdout
    weeks = json.loads(run.invoke(command, ["audit", "drift", str(folder), "--json"]).stdout)
    assert [week["searches"] for week in weeks] == [3]
    path = audit_files(folder)[-1]
    path.write_text(path.read_text().replace("ward-3", "ward-4", 1))
    broken = run.invoke(command, ["audit", "verify", str(folder), "--json"])
    assert broken.exit_code == 1
    assert json.loads(broken.stdout)["problems"]


def test_a_key_that_is_not_there_is_not_made_by_verifying(tmp_path: Path) -> None:
    refused = CliRunner().invoke(command, ["audit", "verify", str(tmp_path), "--json"])
    assert json.loads(refused.stdout)["error"]["type"] == "NotFoundError"
    assert not list(tmp_path.iterdir())


def test_the_metrics_count_without_contents(audited: TestClient, keys: KeyFile) -> None:
    reader, admin = bearer(keys), bearer(keys, "ops", Role.ADMIN)
    audited.post("/v1/search", json={**QUESTION, "report": PRIVATE}, headers=reader)
    audited.get(f"/v1/cases/{PRIVATE}", headers=reader)
    assert audited.get("/metrics", headers=reader).status_code == 403
    text = audited.get("/metrics", headers=admin).text
    assert 'coin_requests_total{method="POST",route="/v1/search",status="200"} 1.0' in text
    assert 'coin_requests_total{method="GET",route="/v1/cases/{case_id:path}",status="404"}' in text
    assert 'coin_searches_total{close="' in text
    assert 'coin_search_stage_seconds_count{stage="search"} 1.0' in text
    assert "coin_archive_version 1.0" in text
    assert 'coin_queue_held{queue="drawing"} 0.0' in text
    assert not [word for word in PRIVATE.split() if word in text]


def test_a_line_of_the_log_is_json_if_asked(
    audited: TestClient, keys: KeyFile, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "coin.server"):
        audited.get("/v1/archive", headers=bearer(keys))
    line = json.loads(JsonLines().format(caplog.records[-1]))
    assert (line["route"], line["status"], line["method"]) == ("/v1/archive", 200, "GET")
    assert line["ms"] > 0
