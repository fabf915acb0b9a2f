"""One log line a request: who asked what kind of question, never which.

A report is private. Neither bodies nor query strings nor the texts of unexpected exceptions reach
the log: only the route's template, the status, the time, and for a fault the lines of code.
"""

from __future__ import annotations

import logging
import time
import traceback
import uuid

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.problems import ProblemResponse, problem

log = logging.getLogger("coin.server")


def note(scope: Scope, kind: str, detail: str = "") -> None:
    """Say in this request's log line why it was refused."""
    scope["coin.refused"] = f" {kind}" + (f": {detail}" if detail else "")


class RequestLog:
    """ASGI layer: names each request, logs it, and answers what nobody caught."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = uuid.uuid4().hex[:12]
        started = time.perf_counter()
        status = 0

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [
                    *message.get("headers", []),
                    (b"x-request-id", request_id.encode()),
                ]
            await send(message)

        try:
            await self._app(scope, receive, named)
        except Exception as error:  # noqa: BLE001 - the last resort must catch all
            log.error("%s %s", request_id, _lines_of(error))
            if not status:
                await ProblemResponse(
                    problem(
                        "internal",
                        "the server failed to answer",
                        status=500,
                        value=request_id,
                        expected="an answer",
                        remedy="tell the operator the request's number, which is in the log",
                    )
                )(scope, receive, named)
        elapsed_ms = (time.perf_counter() - started) * 1000
        log.info(
            "%s %s %s %d %.0f ms%s",
            request_id,
            scope["method"],
            _template(scope),
            status,
            elapsed_ms,
            scope.get("coin.refused", ""),
        )


def _template(scope: Scope) -> str:
    """The route, not the path: an address that somebody typed can hold anything."""
    if scope["path"].startswith("/static/"):
        return "/static"
    route = scope.get("route")
    return getattr(route, "path", None) or "(no such route)"


def _lines_of(error: BaseException) -> str:
    """Type and code lines of an exception, without its text, which can quote a request."""
    frames = traceback.extract_tb(error.__traceback__)
    places = "; ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames)
    return f"{type(error).__name__} at {places}"
