"""Slow, silent and too many clients, against the HTTP server itself."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from server.http.network import NetworkSettings
from server.http.serving import configured, listen
from server.limits import ServerLimits

PATIENCE_S = 20
LIMITS = ServerLimits(connections=4, headers_s=0.3, body_s=0.6, unread_s=0.3)
LARGE = 64 * 1024 * 1024


class Application:
    """Reads what is sent and answers with it, or with much; remembers who left."""

    def __init__(self) -> None:
        self.left = threading.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.set()
                return
            body += message["body"]
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})
        sent = 0
        while scope["path"] == "/large" and sent < LARGE:
            await send({"type": "http.response.body", "body": bytes(65536), "more_body": True})
            sent += 65536
        await send({"type": "http.response.body", "body": body})


@contextmanager
def running(app: Application, limits: ServerLimits = LIMITS) -> Iterator[tuple[str, int]]:
    listening = listen("127.0.0.1", 0)
    config = configured(app, NetworkSettings(), limits)
    config.lifespan = "off"
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    try:
        yield listening.getsockname()[:2]
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        listening.close()


@pytest.fixture
def app() -> Application:
    return Application()


@pytest.fixture
def address(app: Application) -> Iterator[tuple[str, int]]:
    with running(app) as where:
        yield where


def everything(client: socket.socket) -> bytes:
    """What the server sends until it closes."""
    client.settimeout(PATIENCE_S)
    received = b""
    while part := client.recv(65536):
        received += part
    return received


def refusal(answer: bytes, status: int) -> dict[str, object]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"application/problem+json" in head
    told: dict[str, object] = json.loads(body)
    assert told["status"] == status
    return told


@pytest.mark.parametrize("sent", [b"", b"GET / HTT", b"GET / HTTP/1.1\r\nHost: x\r\n"])
def test_headers_that_do_not_come_are_not_waited_for(address: tuple[str, int], sent: bytes) -> None:
    with socket.create_connection(address) as client:
        client.sendall(sent)
        assert refusal(everything(client), 408)["kind"] == "too_slow"


def test_trickling_headers_do_not_wind_the_clock_back(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as client:
        began = time.monotonic()
        client.sendall(b"GET / HTTP/1.1\r\n")
        client.settimeout(0.05)
        while time.monotonic() - began < PATIENCE_S:
            try:
                client.sendall(b"x: y\r\n")
                if client.recv(1):
                    break
            except TimeoutError:
                continue
            except OSError:
                break
        assert time.monotonic() - began < PATIENCE_S


def test_a_body_that_stops_ends_the_request(address: tuple[str, int], app: Application) -> None:
    with socket.create_connection(address) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        assert everything(client) == b""
    assert app.left.wait(PATIENCE_S)


def test_an_upload_that_stalls_does_not_hold_up_the_end(app: Application) -> None:
    patient = ServerLimits(shutdown_s=1, body_s=600)
    with running(app, patient) as address, socket.create_connection(address) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        threading.Event().wait(0.2)
        began = time.monotonic()
        # leaving the block asks the server to end while the client goes on holding its line
        held = client.dup()
    with held:
        assert time.monotonic() - began < PATIENCE_S
        assert not everything(held).startswith(b"HTTP/1.1 200")


def test_a_client_that_stops_reading_is_let_go(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
        threading.Event().wait(4 * LIMITS.unread_s)
        assert len(everything(client)) < LARGE


def test_one_connection_too_many_is_told_to_come_back(address: tuple[str, int]) -> None:
    held = [socket.create_connection(address) for _ in range(LIMITS.connections)]
    try:
        with socket.create_connection(address) as client:
            answer = everything(client)
        assert refusal(answer, 503)["kind"] == "busy"
        assert b"Retry-After: 2" in answer
    finally:
        for one in held:
            one.close()


def test_what_is_no_http_is_refused_in_the_one_shape(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as client:
        client.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        assert refusal(everything(client), 400)["kind"] == "malformed"


def test_answers_on_a_connection_that_is_kept_are_not_held_back() -> None:
    """asyncio turns Nagle's algorithm off only for sockets that call themselves TCP.

    With it each answer waits for the client's delayed acknowledgement.
    """
    with listen("127.0.0.1", 0) as listening, socket.socket() as client:
        client.connect(listening.getsockname())
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP


def test_a_request_in_good_time_is_answered_with_the_time_of_the_next_unspent(
    address: tuple[str, int],
) -> None:
    with socket.create_connection(address) as client:
        client.settimeout(PATIENCE_S)
        for _ in range(3):
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            received = b""
            while not received.endswith(b"0\r\n\r\n"):
                received += client.recv(65536)
            assert received.startswith(b"HTTP/1.1 200")
            # longer than the headers may take, but no request has begun
            threading.Event().wait(1.5 * LIMITS.headers_s)
