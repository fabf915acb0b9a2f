"""Bodies that are too large: which, and what is still read of them."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from server.layers.body_cap import BodyCap, BodySignal
from server.limits import ServerLimits

LIMITS = ServerLimits(json_bytes=1024, upload_bytes=2048)
FORM = (b"content-type", b"Multipart/Form-Data; boundary=x")
PART = 512
DRAINED = 4 * 1024 * 1024


class Connection:
    """One request in parts, an application that reads it whole, and what each of them saw."""

    def __init__(self, size: int, *headers: tuple[bytes, bytes], kind: str = "http") -> None:
        self.scope: dict[str, Any] = {"type": kind, "headers": list(headers)}
        self.parts = [b"x" * min(PART, size - at) for at in range(0, size, PART)]
        self.asked = 0
        self.read = 0
        self.sent: list[Any] = []

    async def receive(self) -> dict[str, Any]:
        self.asked += 1
        part = self.parts[self.asked - 1]
        return {"type": "http.request", "body": part, "more_body": self.asked < len(self.parts)}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def application(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope is self.scope
        assert send == self.send
        more = True
        while more:
            message = await receive()
            self.read += len(message["body"])
            more = message["more_body"]

    def serve(self) -> Connection:
        return self.through(BodyCap(self.application, limits=LIMITS))

    def through(self, cap: BodyCap) -> Connection:
        anyio.run(cap, self.scope, self.receive, self.send)
        return self


def declared(size: int) -> tuple[bytes, bytes]:
    return (b"content-length", str(size).encode())


@pytest.mark.parametrize(("headers", "cap"), [((), 1024), ((FORM,), 2048)])
def test_a_body_may_be_exactly_as_long_as_allowed(
    headers: tuple[tuple[bytes, bytes], ...], cap: int
) -> None:
    assert Connection(cap, declared(cap), *headers).serve().read == cap
    assert Connection(cap, *headers).serve().read == cap


@pytest.mark.parametrize(("headers", "cap"), [((), 1024), ((FORM,), 2048)])
def test_one_byte_more_is_refused_before_the_application_sees_it(
    headers: tuple[tuple[bytes, bytes], ...], cap: int
) -> None:
    refused = Connection(cap + 1, declared(cap + 1), *headers).serve()
    assert refused.read == 0
    assert refused.sent[0]["status"] == 413
    assert f"{cap + 1} bytes" in refused.sent[1]["body"].decode()
    assert f"at most {cap} bytes" in refused.sent[1]["body"].decode()
    assert refused.scope["coin.refused"] == " body_size"


@pytest.mark.parametrize(("headers", "cap"), [((), 1024), ((FORM,), 2048)])
def test_an_undeclared_body_is_refused_as_soon_as_it_is_too_long(
    headers: tuple[tuple[bytes, bytes], ...], cap: int
) -> None:
    connection = Connection(10 * cap, *headers)
    with pytest.raises(BodySignal) as refused:
        connection.serve()
    assert connection.read == cap
    assert connection.asked == cap // PART + 1
    assert refused.value.status_code == 413
    assert refused.value.error.value == f"over {cap} bytes"
    assert refused.value.detail == refused.value.error.problem


@pytest.mark.parametrize("length", [b"", b"many", b"-5", b"1e9"])
def test_a_length_that_is_no_number_is_not_believed_but_counted(length: bytes) -> None:
    assert Connection(PART, (b"content-length", length)).serve().read == PART
    with pytest.raises(BodySignal):
        Connection(4096, (b"content-length", length)).serve()


def test_a_refused_body_is_read_to_its_end_so_that_the_refusal_arrives() -> None:
    refused = Connection(DRAINED, declared(DRAINED)).serve()
    assert refused.asked == len(refused.parts)
    assert refused.read == 0


def test_a_refused_body_that_is_very_large_is_not_read() -> None:
    assert Connection(DRAINED, declared(DRAINED + 1)).serve().asked == 0


def test_reading_to_the_end_stops_when_the_client_leaves() -> None:
    connection = Connection(4096, declared(4096))

    async def leave() -> dict[str, Any]:
        connection.asked += 1
        return {"type": "http.disconnect", "more_body": True}

    connection.receive = leave  # type: ignore[method-assign]
    assert connection.serve().asked == 1
    assert connection.sent[0]["status"] == 413


def test_what_is_no_http_request_is_let_through() -> None:
    assert Connection(8192, declared(8192), kind="websocket").serve().read == 8192


def test_all_requests_together_may_hold_only_so_much() -> None:
    cap = BodyCap(_read_whole, limits=ServerLimits(json_bytes=1024, bytes_in_flight=1500))
    waiting = Connection(1024, declared(1024))
    statuses: list[object] = []

    async def scene() -> None:
        held = anyio.Event()

        async def slow() -> dict[str, Any]:
            await held.wait()
            return {"type": "http.request", "body": bytes(1024), "more_body": False}

        async with anyio.create_task_group() as group:
            group.start_soon(cap, waiting.scope, slow, waiting.send)
            await anyio.wait_all_tasks_blocked()
            for size in (400, 600):
                other = Connection(size, declared(size))
                await cap(other.scope, other.receive, other.send)
                statuses.append(other.sent[0]["status"])
            undeclared = Connection(600)
            with pytest.raises(BodySignal) as refused:
                await cap(undeclared.scope, undeclared.receive, undeclared.send)
            statuses.append(refused.value.status_code)
            held.set()
        again = Connection(1024, declared(1024))
        await cap(again.scope, again.receive, again.send)
        statuses.append(again.sent[0]["status"])

    anyio.run(scene)
    assert statuses == [200, 503, 503, 200]


async def _read_whole(_scope: Any, receive: Any, send: Any) -> None:
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
