"""Pages of health records that may call CDS Hooks from a browser (CORS), and only that."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_BELOW = "/cds-services"
ALLOWED = "coin.cds_origin"


class CdsOrigins:
    """ASGI layer: CORS for the origins that the operator named, on the addresses of CDS Hooks."""

    def __init__(self, app: ASGIApp, *, origins: Collection[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._cors = CORSMiddleware(
            app, allow_origins=sorted(origins), allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type"],
        )  # fmt: skip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and _BELOW in scope["path"]:
            scope[ALLOWED] = Headers(scope=scope).get("origin") in self._origins
            await self._cors(scope, receive, send)
            return
        await self._app(scope, receive, send)
