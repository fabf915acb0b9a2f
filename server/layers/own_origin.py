"""Answers only under its own names, and no other site's page.

A page of another site can have a browser send requests here: a form needs no permission, and a name
made to resolve to this machine (DNS rebinding) turns the site into this server's own origin.
The first shows in the headers that browsers add themselves, the second in ``Host``.
"""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from server.layers.cds_origins import ALLOWED
from server.layers.request_log import refuse
from server.wire.errors import ForeignRequestError

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_PROBES = frozenset({"/healthz", "/readyz"})
"""Asked by load balancers under whatever address they know; they say nothing of the archive."""
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class OwnOrigin:
    """ASGI layer: 403 for another ``Host``, and for what another site's page asks.

    Args:
        hosts: names under which the server may be asked, without ports; ``*`` allows any.
    """

    def __init__(self, app: ASGIApp, *, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] == "http" and scope["path"] not in _PROBES:
            named = bool(scope.get(ALLOWED))
            refused = self._refusal(scope["method"], Headers(scope=scope), named=named)
            if refused is not None:
                await refuse(refused, scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _refusal(self, method: str, headers: Headers, *, named: bool) -> ForeignRequestError | None:
        hosts = headers.getlist("host")
        host = hosts[0].lower() if len(hosts) == 1 else ""
        if "*" not in self._hosts and _without_port(host) not in self._hosts:
            return ForeignRequestError(
                "the server is not known under this name",
                value=host or None,
                expected=f"one of {', '.join(sorted(self._hosts))}",
                remedy="tell the operator: names are allowed with coin-serve --trusted-hosts",
            )
        site, origin = headers.get("sec-fetch-site", ""), headers.get("origin", "")
        if method in _SAFE:
            # somebody may follow a link to here, but no page may load our pictures
            foreign = site == "cross-site" and headers.get("sec-fetch-mode") != "navigate"
        else:
            foreign = site not in ("", "same-origin", "none")
            foreign |= bool(origin) and origin.lower().partition("://")[2] != host
        if foreign and not named:
            return ForeignRequestError(
                "asked by a page of another site",
                value=origin or site,
                expected="this server's own page, or a program",
                remedy="open this server's own address",
            )
        return None


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdecimal() else host
