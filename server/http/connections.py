"""Connections that end: bounded in number, and in the time that a client may take.

Uvicorn bounds neither how long a client takes to send a request or to read an answer nor, before it
has read the headers, how many connections are open. A slow or greedy client would hold memory, file
descriptors and places in queues for as long as it likes.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from server.limits import ServerLimits
from server.wire.problems import MEDIA_TYPE, problem

if TYPE_CHECKING:
    from uvicorn.config import Config


def bounded(limits: ServerLimits) -> type[H11Protocol]:
    """Uvicorn's HTTP protocol under ``limits``, to be given to its configuration."""

    class Bounded(BoundedConnection):
        caps = limits

    return Bounded


class BoundedConnection(H11Protocol):
    """One connection; it is closed when its client is too slow, or one too many."""

    caps = ServerLimits()

    def __init__(self, config: Config, *args: object, **kwargs: object) -> None:
        super().__init__(config, *args, **kwargs)  # type: ignore[arg-type]
        self._waiting_for = ""
        self._deadline: asyncio.TimerHandle | None = None
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take the connection, or refuse it at once."""
        super().connection_made(transport)
        if len(self.connections) > self.caps.connections:
            self._refuse(
                503,
                "busy",
                "the server has too many connections",
                expected=f"at most {self.caps.connections} at once",
                remedy="ask again in 2 s",
                retry_after_s=2,
            )
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Read on, against the clock."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """After an answer the next request has all its time; idle connections are uvicorn's."""
        super().on_response_complete()
        self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the clocks."""
        self._stop()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """The client reads slower than we write: it has so long to catch up."""
        super().pause_writing()
        if self._unread is None:
            self._unread = self.loop.call_later(self.caps.unread_s, self.transport.abort)

    def resume_writing(self) -> None:
        """It has caught up."""
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None
        if self.flow is not None:
            super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets the one shape of refusals too."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._refuse(
                400,
                "malformed",
                "not a well-formed HTTP request",
                expected="HTTP/1.1",
                remedy="see /docs for the requests that this server answers",
            )
        else:
            self.transport.close()

    def _watch(self) -> None:
        """One clock for the headers and one for the body: trickling does not wind them back."""
        state = self.conn.their_state
        waiting_for = {h11.IDLE: "headers", h11.SEND_BODY: "body"}.get(state, "")
        if waiting_for == self._waiting_for:
            return
        self._stop()
        if waiting_for:
            seconds = self.caps.headers_s if waiting_for == "headers" else self.caps.body_s
            self._waiting_for = waiting_for
            self._deadline = self.loop.call_later(seconds, self._too_slow)

    def _too_slow(self) -> None:
        what, self._waiting_for = self._waiting_for, ""
        self._deadline = None
        if self.transport.is_closing():
            return
        if self.cycle is None or self.cycle.response_complete:
            self._refuse(
                408,
                "too_slow",
                f"the {what} of the request did not arrive in time",
                expected=f"headers within {self.caps.headers_s} s, a body within "
                f"{self.caps.body_s} s",
                remedy="send the request again",
            )
        else:
            # the endpoint is told that its client left; it has nobody to answer
            self.transport.close()

    def _stop(self) -> None:
        self._waiting_for = ""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _refuse(
        self, status: int, kind: str, said: str, *, retry_after_s: int = 0, **more: str
    ) -> None:
        body = problem(kind, said, status=status, **more)
        data = json.dumps(body).encode()
        head = [
            f"HTTP/1.1 {status} {body['title']}",
            f"Content-Type: {MEDIA_TYPE}",
            f"Content-Length: {len(data)}",
            *([f"Retry-After: {retry_after_s}"] if retry_after_s else []),
            "X-Content-Type-Options: nosniff",
            "Cache-Control: no-store",
            "Connection: close",
        ]
        self._stop()
        self.transport.write("\r\n".join(head).encode("ascii") + b"\r\n\r\n" + data)
        self.transport.close()
