"""Whose ``X-Forwarded-…`` headers are believed."""

from __future__ import annotations

import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from server.http.network import NetworkSettings
from server.http.serving import configured
from server.limits import ServerLimits

FORWARDED = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "https"}
BELIEVED = {"client": "203.0.113.9", "scheme": "https"}
PROXY = "10.0.0.1"


async def told(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers who asks, and how, as the application sees it."""
    request = Request(scope)
    client = request.client.host if request.client else ""
    seen = {"client": client, "scheme": request.url.scheme}
    await JSONResponse(seen)(scope, receive, send)


def seen(by: str, *proxies: str) -> object:
    config = configured(told, NetworkSettings(trusted_proxies=proxies), ServerLimits())
    config.load()
    return TestClient(config.loaded_app, client=(by, 4711)).get("/", headers=FORWARDED).json()


def test_a_named_proxy_is_believed() -> None:
    assert seen(PROXY, PROXY) == BELIEVED


@pytest.mark.parametrize("by", ["10.0.0.2", "127.0.0.1"])
@pytest.mark.parametrize("proxies", [(), (PROXY,)])
def test_nobody_else_is(by: str, proxies: tuple[str, ...]) -> None:
    assert seen(by, *proxies) == {"client": by, "scheme": "http"}
