"""Which names the server answers under, and which pages may ask it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import anyio
import pytest

from server.layers.own_origin import LOOPBACK, OwnOrigin

HOST = "127.0.0.1:8000"


def status_of(
    method: str,
    headers: dict[str, str],
    *,
    path: str = "/v1/search",
    hosts: Collection[str] = LOOPBACK,
) -> int:
    sent: list[Any] = []

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": path,
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    layer = OwnOrigin(application, hosts=hosts)
    anyio.run(layer, scope, None, send)  # type: ignore[arg-type]
    status: int = sent[0]["status"]
    return status


@pytest.mark.parametrize("host", [HOST, "localhost", "LOCALHOST:80", "[::1]:8000", "127.0.0.1"])
def test_it_answers_under_its_own_names(host: str) -> None:
    assert status_of("GET", {"host": host}) == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io:8000", "", "localhost:8000:1"],
)
def test_a_name_made_to_resolve_to_this_machine_is_refused(host: str) -> None:
    assert status_of("GET", {"host": host}) == 403


def test_a_name_that_the_operator_trusts_is_answered() -> None:
    assert status_of("GET", {"host": "coin.hospital:443"}, hosts=["coin.hospital"]) == 200
    assert status_of("GET", {"host": "anything"}, hosts=["*"]) == 200


def test_probes_are_answered_under_any_name() -> None:
    assert status_of("GET", {"host": "10.0.0.7"}, path="/readyz") == 200


@pytest.mark.parametrize(
    "foreign",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:9999"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "same-origin", "origin": "https://evil.example"},
    ],
)
def test_another_sites_page_may_post_nothing(foreign: dict[str, str]) -> None:
    assert status_of("POST", {"host": HOST, **foreign}) == 403


@pytest.mark.parametrize(
    "own",
    [
        {},
        {"origin": f"http://{HOST}"},
        {"sec-fetch-site": "same-origin", "origin": f"http://{HOST}"},
    ],
)
def test_its_own_page_and_programs_may_post(own: dict[str, str]) -> None:
    assert status_of("POST", {"host": HOST, **own}) == 200


def test_another_site_may_link_here_but_not_show_our_pictures() -> None:
    crossing = {"host": HOST, "sec-fetch-site": "cross-site"}
    assert status_of("GET", {**crossing, "sec-fetch-mode": "navigate"}, path="/") == 200
    assert status_of("GET", {**crossing, "sec-fetch-mode": "no-cors"}, path="/v1/images/1") == 403
