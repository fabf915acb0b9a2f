"""A question answered step by step."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from fastapi.testclient import TestClient
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from unit.server.ground import PATIENCE_S, REPORT, GatedGenerator, MakeApp, listening_at, until

from coin_retrieval.presenting.answer import SearchAnswer
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.prototypes.shared import SharedPrototyper
from server.audit.chain import AuditLog, audit_files, records
from server.routes import stream


def events(lines: Iterator[str]) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in lines:
        if line.startswith("event:"):
            name = line.partition(":")[2].strip()
        elif line.startswith("data:"):
            yield name, json.loads(line.partition(":")[2])


def asked(client: Any, **body: Any) -> list[tuple[str, Any]]:
    question = {"report": REPORT, "prototypes": 2, "k": 3, **body}
    with client.stream("POST", "/v1/search/stream", json=question) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        return list(events(answer.iter_lines()))


def test_a_report_is_answered_by_its_text_at_once_and_then_by_its_drawings(
    client: TestClient,
) -> None:
    told = asked(client, seed=4100)
    names = [name for name, _ in told]
    assert names[0] == "plan"
    assert names[1] == "cases"
    assert names[-1] == "answer"
    assert {"queue", "step"} <= set(names)
    drawn = [one["id"] for name, one in told if name == "prototype"]
    assert drawn == [one["id"] for one in told[-1][1]["prototypes"]]
    first, last = (SearchAnswer.model_validate(told[at][1]) for at in (1, -1))
    assert (first.query.mode, last.query.mode) == ("text", "fused")
    assert first.cases
    assert len(last.prototypes) == 2
    steps = [step["done"] for name, step in told if name == "step" and step["stage"] == "drawing"]
    assert steps == sorted(steps)


def test_its_answer_is_that_of_the_plain_question(client: TestClient) -> None:
    streamed = asked(client, seed=4200)[-1][1]
    plain = client.post(
        "/v1/search", json={"report": REPORT, "prototypes": 2, "k": 3, "seed": 4200}
    ).json()
    for answer in (streamed, plain):
        del answer["timings_ms"]
    assert streamed == plain


def test_what_need_not_be_drawn_is_answered_at_once(client: TestClient) -> None:
    asked(client, seed=4300)
    assert [name for name, _ in asked(client, seed=4300)] == ["plan", "answer"]
    assert [name for name, _ in asked(client, mode="text")] == ["plan", "answer"]


@pytest.mark.parametrize("body", [{"report": ""}, {"k": 0}, {"where": {"planet": "x"}}])
def test_what_can_be_refused_at_once_is_refused_as_usual(
    client: TestClient, body: dict[str, Any]
) -> None:
    refused = client.post("/v1/search/stream", json={"report": REPORT, **body})
    told = refused.text
    assert refused.status_code in (422, 200)
    assert '"kind"' in told


@pytest.fixture
def served(
    generator: Prototyper, make_app: MakeApp, tmp_path: Path
) -> Iterator[tuple[str, GatedGenerator, Path]]:
    """A real HTTP server whose generator can be held, and its audit log."""
    gated = GatedGenerator(generator)
    shared = SharedPrototyper(gated, batch_size=8)
    with AuditLog(tmp_path / "audit", key=bytes(32), keep_days=400) as audit:
        app = make_app(shared, audit=audit)
        with listening_at(app) as address:
            yield address, gated, tmp_path / "audit"
            gated.open.set()


def test_who_closes_the_connection_stops_the_drawing(
    served: tuple[str, GatedGenerator, Path],
) -> None:
    address, gated, _ = served
    gated.drawing.clear()
    gated.open.clear()
    question = {"report": REPORT, "seed": 77, "prototypes": 2}
    with httpx2.Client(base_url=address, timeout=PATIENCE_S) as client:
        with client.stream("POST", "/v1/search/stream", json=question) as answer:
            for name, _ in events(answer.iter_lines()):
                if name == "queue":
                    assert gated.drawing.wait(PATIENCE_S)
                    break
        gated.open.set()
        # the client that left holds no place any more
        until(lambda: 'coin_queue_held{queue="drawing"} 0.0' in client.get("/metrics").text)
        # and the next one is served
        assert client.post("/v1/search", json={**question, "seed": 99}).status_code == 200


def test_both_answers_are_written_down_before_they_are_sent(
    served: tuple[str, GatedGenerator, Path],
) -> None:
    address, _, folder = served
    with httpx2.Client(base_url=address, timeout=PATIENCE_S) as client:
        told = asked(client, seed=88)
    shown = [value for name, value in told if name in ("cases", "answer")]
    written = [one for path in audit_files(folder) for one in records(path) if "cases" in one]
    assert [one["cases"] for one in written] == [
        [case["case_id"] for case in answer["cases"]] for answer in shown
    ]


class ReadSlowly:
    """An application, to clients that take their time over each part of an answer."""

    def __init__(self, app: ASGIApp, wait_s: float) -> None:
        self._app, self._wait_s = app, wait_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def slowly(message: Message) -> None:
            await anyio.sleep(self._wait_s)
            await send(message)

        await self._app(scope, receive, slowly if scope["type"] == "http" else send)


def test_who_reads_slowly_gets_it_all(
    make_app: MakeApp, generator: Prototyper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_LOOK_S", 0.01)
    app = ReadSlowly(make_app(generator), 0.05)
    with listening_at(app) as address, httpx2.Client(base_url=address, timeout=60) as client:
        told = asked(client, seed=4400)
    assert [name for name, _ in told][:2] == ["plan", "cases"]
    assert told[-1][0] == "answer"
    assert len(told[-1][1]["prototypes"]) == 2
