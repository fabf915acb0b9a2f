"""Lets in who may, as often as they may; everything is closed that is not named open here."""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie

from anyio.to_thread import run_sync
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from coin_retrieval.errors import CoinError
from server.access.accounts import Accounts
from server.access.principals import LOCAL, Principal, Role
from server.access.sessions import Session
from server.layers.request_log import refuse
from server.wire.errors import ForbiddenError, TooOftenError, UnauthenticatedError

COOKIE = "coin_session"
CSRF_HEADER = "x-csrf-token"
_OPEN = frozenset({"/", "/docs", "/study", "/openapi.json", "/healthz", "/readyz"})
"""The pages without anything on them, the reference, and the probes."""
_OPEN_BELOW = ("/static/", "/v1/session", "/v1/study", "/cds-services")
"""What asks for proofs of its own: a reader of a study has a link, a health record a key."""
_ADMIN = frozenset({"/metrics"})
_QUESTIONS = ("/v1/search", "/v1/generate", "/v1/jobs")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


def is_open(path: str) -> bool:
    """Whether nobody is asked who they are there."""
    return path in _OPEN or path.startswith(_OPEN_BELOW)


def require_own(session: Session, headers: Headers) -> None:
    """Let what changes something through only from the page that logged in.

    Raises:
        ForbiddenError: the token is missing, or another.
    """
    if not session.is_own(headers.get(CSRF_HEADER, "")):
        raise ForbiddenError(
            "the request does not prove that it comes from this server's page",
            expected=f"the header {CSRF_HEADER} with the token of GET /v1/session",
            remedy="load the page again",
        )


def session_cookie(headers: Headers) -> str:
    """The session's cookie; empty without one."""
    try:
        cookies = SimpleCookie(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""


class Access:
    """ASGI layer: finds out who asks (``scope["coin.principal"]``), and whether they may.

    Args:
        accounts: ``None`` where there are none: everybody who reaches the server may do all.
    """

    def __init__(self, app: ASGIApp, *, accounts: Accounts | None) -> None:
        self._app = app
        self._accounts = accounts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._accounts is None:
            scope["coin.principal"] = LOCAL
            await self._app(scope, receive, send)
            return
        path = _own_path(scope)
        if is_open(path):
            await self._app(scope, receive, send)
            return
        try:
            principal = await self._principal(self._accounts, scope)
            self._check(self._accounts, principal, path, scope["method"])
        except CoinError as error:
            await refuse(error, scope, receive, send)
            return
        scope["coin.principal"] = principal
        await self._app(scope, receive, send)

    async def _principal(self, accounts: Accounts, scope: Scope) -> Principal:
        headers = Headers(scope=scope)
        kind, _, presented = headers.get("authorization", "").partition(" ")
        if kind:
            address = (scope.get("client") or ("",))[0]
            if kind.lower() == "bearer":
                found = await run_sync(accounts.bearer, presented.strip())
                if found is not None:
                    return found
            raise accounts.failed(
                address,
                "the key or token is not known, was revoked, or has expired",
                expected="Authorization: Bearer and a key or an access token of this server",
                remedy="ask the operator for a key, or log in again",
            )
        session = accounts.sessions.find(session_cookie(headers))
        if session is None:
            raise UnauthenticatedError(
                "nobody is logged in",
                expected="Authorization: Bearer and a key or an access token, or a login",
                remedy="log in on the page, or ask the operator for a key",
            )
        if scope["method"] not in _SAFE:
            require_own(session, headers)
        return session.principal

    def _check(self, accounts: Accounts, principal: Principal, path: str, method: str) -> None:
        needed = Role.ADMIN if path in _ADMIN else Role.READER
        if not principal.role.allows(needed):
            raise ForbiddenError(
                "this is not for your role",
                value=principal.role.value,
                expected=needed.value,
                remedy="ask the operator for a key with that role",
            )
        questions = method == "POST" and path.startswith(_QUESTIONS)
        buckets = accounts.questions if questions else accounts.requests
        wait_s = buckets.take(principal.name)
        if wait_s:
            what = "questions" if questions else "requests"
            raise TooOftenError(what, retry_after_s=wait_s)


def _own_path(scope: Scope) -> str:
    """The path below the prefix under which a proxy publishes this server."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) or "/"
