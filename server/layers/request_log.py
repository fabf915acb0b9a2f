"""One log line a request: who asked what kind of question, never which.

A report is private. Neither bodies nor query strings nor the texts of unexpected exceptions reach
the log: only the route's template, the status, the time, and for a fault the lines of code.
"""

from __future__ import annotations

import logging
import time
import traceback
import uuid
from http import HTTPMethod

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from coin_retrieval.errors import CoinError
from server.metrics import Metrics
from server.wire.errors import kind_of
from server.wire.problems import ProblemResponse, problem, refusal

log = logging.getLogger("coin.server")

_METHODS = frozenset(HTTPMethod)


def request_id(scope: Scope) -> str:
    """The number of a request, which its answer carries too."""
    found: str = scope.get("coin.request_id", "")
    return found


def method_of(scope: Scope) -> str:
    """The method, if it is one: anything can be typed there, too."""
    method: str = scope["method"]
    return method if method in _METHODS else "(no such method)"


def note(scope: Scope, kind: str, detail: str = "") -> None:
    """Say in this request's log line why it was refused."""
    scope["coin.refused"] = f" {kind}" + (f": {detail}" if detail else "")


async def refuse(error: CoinError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with a refusal that no endpoint sees, and say so in the log."""
    note(scope, kind_of(error))
    await refusal(error)(scope, receive, send)


class RequestLog:
    """ASGI layer: names each request, logs and counts it, and answers what nobody caught."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        number = scope["coin.request_id"] = uuid.uuid4().hex[:12]
        started = time.perf_counter()
        status = 0

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-request-id", number.encode()),
                ]
            await send(message)

        try:
            await self._app(scope, receive, named)
        except Exception as error:  # noqa: BLE001 - the last resort must catch all
            log.error("%s %s", number, lines_of(error))
            if not status:
                await ProblemResponse(
                    problem(
                        "internal",
                        "the server failed to answer",
                        status=500,
                        value=number,
                        expected="an answer",
                        remedy="tell the operator the request's number, which is in the log",
                    )
                )(scope, receive, named)
        seconds, route, method = time.perf_counter() - started, route_of(scope), method_of(scope)
        self._metrics.answered(scope, route=route, method=method, status=status, seconds=seconds)
        refused = scope.get("coin.refused", "")
        log.info(
            "%s %s %s %d %.0f ms%s",
            number,
            method,
            route,
            status,
            seconds * 1000,
            refused,
            extra={
                "request": number,
                "method": method,
                "route": route,
                "status": status,
                "ms": round(seconds * 1000, 1),
                "refused": refused.strip(),
            },
        )


def route_of(scope: Scope) -> str:
    """The route, not the path: an address that somebody typed can hold anything."""
    if scope["path"].startswith("/static/"):
        return "/static"
    route = scope.get("route")
    return getattr(route, "path", None) or "(no such route)"


def lines_of(error: BaseException) -> str:
    """Type and code lines of an exception, without its text, which can quote a request."""
    frames = traceback.extract_tb(error.__traceback__)
    places = "; ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{type(error).__name__} at {places}"
