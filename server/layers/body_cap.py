"""Refuses bodies that are too large before they are read.

Starlette's own ``RequestBodyLimitMiddleware`` answers in plain text; here every refusal has the one
JSON shape, and form data may be larger than JSON.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.errors import BodySizeError, body_of
from server.layers.request_log import note
from server.limits import ServerLimits

_DRAINED_BYTES = 4 * 1024 * 1024
"""A refused body up to this is read and thrown away: a connection that is closed while its client
still sends is reset, and the client never sees why it was refused."""


class BodyTooLargeSignal(HTTPException):
    """Carries a :class:`BodySizeError` through FastAPI, which lets only HTTPExceptions pass."""

    def __init__(self, error: BodySizeError) -> None:
        self.error = error
        super().__init__(error.status, error.problem)


class BodyCap:
    """ASGI layer: at most ``upload_bytes`` of form data, ``json_bytes`` of anything else.

    A declared length is refused at once; an undeclared (chunked) body as soon as it passes the cap.
    """

    def __init__(self, app: ASGIApp, *, limits: ServerLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        form = headers.get("content-type", "").lower().startswith("multipart/form-data")
        cap = self._limits.upload_bytes if form else self._limits.json_bytes
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > cap:
            error = _too_large(f"{declared} bytes", cap)
            note(scope, "body_size")
            if int(declared) <= _DRAINED_BYTES:
                await _drain(receive)
            answer = JSONResponse(body_of(error), error.status, dict(error.headers))
            await answer(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > cap:
                raise BodyTooLargeSignal(_too_large(f"over {cap} bytes", cap))
            return message

        await self._app(scope, counted, send)


async def _drain(receive: Receive) -> None:
    while (message := await receive())["type"] == "http.request" and message.get("more_body"):
        pass


def _too_large(value: str, cap: int) -> BodySizeError:
    return BodySizeError(
        "the request is too large",
        value=value,
        expected=f"at most {cap} bytes",
        remedy="send a smaller picture or a shorter report",
    )
