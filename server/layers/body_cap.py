"""Refuses bodies that are too large before they are read.

Starlette's own ``RequestBodyLimitMiddleware`` answers in plain text; here every refusal has the one
JSON shape, and form data may be larger than JSON.
"""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.layers.request_log import refuse
from server.limits import ServerLimits
from server.wire.errors import BodySizeError, BusyError, RequestError

_LARGE = ("multipart/form-data", "application/fhir+json")
"""They carry pictures and attached documents."""
_DRAINED_BYTES = 4 * 1024 * 1024
"""A refused body up to this is read and thrown away: a connection that is closed while its client
still sends is reset, and the client never sees why it was refused."""


class BodySignal(HTTPException):
    """Carries a refusal through FastAPI, which lets only HTTPExceptions pass while it reads."""

    def __init__(self, error: RequestError) -> None:
        self.error = error
        super().__init__(error.status, error.problem)


class BodyCap:
    """ASGI layer: at most ``upload_bytes`` of form data or FHIR, ``json_bytes`` of anything else.

    A declared length is refused at once; an undeclared (chunked) body as soon as it passes the cap.
    All requests together may hold ``bytes_in_flight``: who comes then is told to ask again.
    """

    def __init__(self, app: ASGIApp, *, limits: ServerLimits) -> None:
        self._app = app
        self._limits = limits
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        large = headers.get("content-type", "").lower().startswith(_LARGE)
        cap = self._limits.upload_bytes if large else self._limits.json_bytes
        length = headers.get("content-length", "")
        declared = int(length) if length.isdecimal() else 0
        refused = self._refusal(declared, cap)
        if refused is not None:
            if declared <= _DRAINED_BYTES:
                await _drain(receive)
            await refuse(refused, scope, receive, send)
            return
        seen, held = 0, declared
        self._held += declared

        async def counted() -> Message:
            nonlocal seen, held
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > cap:
                raise BodySignal(_too_large(f"over {cap} bytes", cap))
            if seen > held:
                self._held += seen - held
                held = seen
                if self._held > self._limits.bytes_in_flight:
                    raise BodySignal(self._busy())
            return message

        try:
            await self._app(scope, counted, send)
        finally:
            self._held -= held

    def _refusal(self, declared: int, cap: int) -> RequestError | None:
        if declared > cap:
            return _too_large(f"{declared} bytes", cap)
        if declared and self._held + declared > self._limits.bytes_in_flight:
            return self._busy()
        return None

    def _busy(self) -> BusyError:
        return BusyError("uploading", held=self._held, unit="bytes", retry_after_s=2)


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
