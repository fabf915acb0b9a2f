"""The page's login: by an API key, or at the identity provider."""

from __future__ import annotations

from typing import Annotated, TypeVar

from anyio.to_thread import run_sync
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, ConfigDict, Field

from coin_retrieval.errors import NotFoundError
from server.access.accounts import Accounts
from server.access.login import BEGUN_FOR_S
from server.access.principals import LOCAL, Principal
from server.access.sessions import Session
from server.asking import address_of
from server.layers.access import COOKIE, CSRF_HEADER, require_own, session_cookie
from server.services import JSON_ONLY, ServicesHere

router = APIRouter(prefix="/v1/session", tags=["session"])

Part = TypeVar("Part")
_BROWSER_COOKIE = "coin_login"


class SessionView(BaseModel):
    """Who is logged in on this browser, and how one can."""

    model_config = ConfigDict(frozen=True)

    principal: str | None = Field(description="null where nobody is", examples=["key:ward-3"])
    role: str | None = None
    csrf: str = Field(default="", description=f"to be sent back as {CSRF_HEADER}")
    accounts: bool = Field(description="whether this server has accounts")
    by_key: bool = False
    at_provider: bool = Field(default=False, description="GET /v1/session/provider begins a login")


class KeyLogin(BaseModel):
    """A login by API key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str = Field(max_length=200)


@router.get("", summary="Who is logged in?")
async def session(request: Request, parts: ServicesHere) -> SessionView:
    """Who is logged in on this browser, with the token that requests of a page must carry."""
    accounts = parts.accounts
    if accounts is None:
        return _view(LOCAL, None, None)
    found = accounts.sessions.find(session_cookie(request.headers))
    return _view(None if found is None else found.principal, found, accounts)


@router.post(
    "",
    summary="Log in by a key",
    dependencies=[JSON_ONLY],
)
async def log_in(
    asked: KeyLogin, request: Request, response: Response, parts: ServicesHere
) -> SessionView:
    """Change an API key for a cookie that the page's requests and pictures carry."""
    accounts = _need(parts.accounts)
    principal = accounts.bearer(asked.key) if accounts.keys is not None else None
    if principal is None:
        raise accounts.failed(
            address_of(request),
            "the key is not known, was revoked, or has expired",
            expected="a key that coin-serve keys add has shown",
            remedy="ask the operator for a key",
        )
    return _begin(principal, request, response, accounts)


@router.delete("", summary="Log out", status_code=204)
async def log_out(request: Request, parts: ServicesHere) -> Response:
    """End this browser's login, here and in the browser."""
    accounts, cookie = parts.accounts, session_cookie(request.headers)
    response = Response(status_code=204)
    if accounts is not None:
        found = accounts.sessions.find(cookie)
        if found is not None:
            require_own(found, request.headers)
            accounts.sessions.end(cookie)
    response.delete_cookie(COOKIE, path="/")
    return response


@router.get("/provider", summary="Log in at the identity provider")
async def begin_at_provider(request: Request, parts: ServicesHere) -> RedirectResponse:
    """Send the browser to the identity provider (authorization code with PKCE)."""
    login = _need(_need(parts.accounts).login)
    address, browser = await run_sync(login.begin, str(request.url_for("finish_at_provider")))
    response = RedirectResponse(address, 303)
    # the provider sends the browser back from another site: a strict cookie would not come along
    response.set_cookie(
        _BROWSER_COOKIE, browser, max_age=BEGUN_FOR_S, path="/", httponly=True,
        samesite="lax", secure=request.url.scheme == "https",
    )  # fmt: skip
    return response


@router.get(
    "/callback",
    summary="Back from the identity provider",
)
async def finish_at_provider(
    request: Request,
    parts: ServicesHere,
    code: Annotated[str, Query(max_length=4096)] = "",
    state: Annotated[str, Query(max_length=200)] = "",
) -> RedirectResponse:
    """End a login that this browser began, and show the page."""
    accounts = _need(parts.accounts)
    login, browser = _need(accounts.login), request.cookies.get(_BROWSER_COOKIE, "")
    principal = await run_sync(lambda: login.finish(code=code, state=state, browser=browser))
    if principal is None:
        raise accounts.failed(
            address_of(request),
            "this login did not begin here, has ended, or gives no role on this server",
            expected="a login that began on this page, of somebody who has a role here",
            remedy="log in again, or ask the operator for a role",
        )
    response = RedirectResponse(request.scope.get("root_path", "") + "/", 303)
    response.delete_cookie(_BROWSER_COOKIE, path="/")
    _begin(principal, request, response, accounts)
    return response


def _begin(
    principal: Principal, request: Request, response: Response, accounts: Accounts
) -> SessionView:
    # a new session at each login, so that none can be planted beforehand
    accounts.sessions.end(session_cookie(request.headers))
    cookie, begun = accounts.sessions.begin(principal)
    response.set_cookie(
        COOKIE, cookie, path="/", httponly=True, samesite="strict",
        secure=request.url.scheme == "https",
    )  # fmt: skip
    return _view(principal, begun, accounts)


def _view(
    principal: Principal | None, session: Session | None, accounts: Accounts | None
) -> SessionView:
    return SessionView(
        principal=None if principal is None else principal.name,
        role=None if principal is None else principal.role.value,
        csrf="" if session is None else session.csrf,
        accounts=accounts is not None,
        by_key=accounts is not None and accounts.keys is not None,
        at_provider=accounts is not None and accounts.login is not None,
    )


def _need(part: Part | None) -> Part:
    if part is None:
        raise NotFoundError(
            "this server has no such login", expected="a server with accounts of that kind"
        )
    return part
