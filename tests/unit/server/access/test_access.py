"""Who is let in to do what, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from fastapi.testclient import TestClient
from unit.server.access.provider import AUDIENCE, CLIENT, IdentityProvider, running_provider
from unit.server.ground import OWN, REPORT, MakeApp, disc, png, serving

from server.access.keys import KeyFile
from server.access.principals import Role
from server.access.settings import AccessSettings

QUESTION = {"report": REPORT, "mode": "text", "k": 1}


@pytest.fixture(scope="module")
def provider() -> Iterator[IdentityProvider]:
    with running_provider() as running:
        yield running


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> KeyFile:
    return KeyFile(tmp_path_factory.mktemp("keys") / "keys.json")


@pytest.fixture(scope="module")
def settings(keys: KeyFile, provider: IdentityProvider) -> AccessSettings:
    return AccessSettings.model_validate(
        {"keys": keys.path, "oidc_issuer": provider.issuer, "oidc_audience": AUDIENCE,
         "oidc_client": CLIENT, "logins_per_minute": 1000, "clock_skew_s": 30, "oidc_cooldown_s": 0}
    )  # fmt: skip


@pytest.fixture(scope="module")
def served(make_app: MakeApp, settings: AccessSettings) -> Iterator[TestClient]:
    app = make_app(access=settings)
    with serving(app) as running:
        yield running


@pytest.fixture
def visitor(served: TestClient) -> TestClient:
    """The same server, asked by a browser without cookies."""
    return TestClient(served.app, base_url=OWN, follow_redirects=False)


def bearer(presented: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {presented}"}


def log_in(visitor: TestClient, key: str) -> str:
    """Log in by a key; returns the token that the page must send."""
    answer = visitor.post("/v1/session", json={"key": key})
    assert answer.status_code == 200, answer.text
    token: str = answer.json()["csrf"]
    return token


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/v1/search"), ("POST", "/v1/search/image"), ("POST", "/v1/generate"),
     ("GET", "/v1/archive"), ("GET", "/v1/images/1"), ("GET", "/v1/cases/A-1"),
     ("GET", "/v1/prototypes/" + "0" * 64 + ".png"), ("GET", "/v1/nothing"), ("GET", "/metrics"),
     ("HEAD", "/v1/archive"), ("GET", "//v1/archive")],
)  # fmt: skip
def test_nobody_is_let_in_unnamed(visitor: TestClient, method: str, path: str) -> None:
    refused = visitor.request(method, path)
    assert refused.status_code == 401
    assert refused.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/healthz", "/readyz", "/static/visit/page.js"]
)
def test_what_says_nothing_of_the_archive_is_open(visitor: TestClient, path: str) -> None:
    assert visitor.get(path).status_code == 200


def test_a_key_opens(visitor: TestClient, keys: KeyFile) -> None:
    key = keys.add("reader", Role.READER)
    answer = visitor.post("/v1/search", json=QUESTION, headers=bearer(key))
    assert answer.status_code == 200


def test_a_revoked_key_opens_nothing_any_more(visitor: TestClient, keys: KeyFile) -> None:
    key = keys.add("short", Role.READER)
    assert visitor.get("/v1/archive", headers=bearer(key)).status_code == 200
    keys.revoke("short")
    assert visitor.get("/v1/archive", headers=bearer(key)).status_code == 401


def test_a_readers_key_does_not_open_what_is_the_admins(visitor: TestClient, keys: KeyFile) -> None:
    reader, admin = keys.add("reader", Role.READER), keys.add("admin", Role.ADMIN)
    refused = visitor.get("/metrics", headers=bearer(reader))
    assert (refused.status_code, refused.json()["kind"]) == (403, "forbidden")
    assert visitor.get("/metrics", headers=bearer(admin)).status_code != 403


def test_a_token_of_the_provider_opens(visitor: TestClient, provider: IdentityProvider) -> None:
    assert visitor.get("/v1/archive", headers=bearer(provider.token())).status_code == 200


@pytest.mark.parametrize(
    "changed",
    [{"exp": 1_000_000_000}, {"aud": "another"}, {"iss": "https://evil.example"}, {"sub": None},
     {"exp": None}, {"iat": None}, {"nbf": 4_000_000_000}, {"roles": ["visitor"]}, {"roles": None}],
    ids=["expired", "audience", "issuer", "no subject", "no end", "no beginning", "not yet",
         "foreign role", "no role"],
)  # fmt: skip
def test_a_token_that_is_not_right_in_all_opens_nothing(
    visitor: TestClient, provider: IdentityProvider, changed: dict[str, Any]
) -> None:
    assert visitor.get("/v1/archive", headers=bearer(provider.token(**changed))).status_code == 401


def test_a_forged_token_opens_nothing(visitor: TestClient, provider: IdentityProvider) -> None:
    good = provider.token()
    claims = jwt.decode(good, options={"verify_signature": False})
    unsigned = jwt.encode(claims, None, algorithm="none")
    by_public_key = jwt.encode(claims, "the issuer's public key as if it were a secret", "HS256")
    head, body, signature = good.split(".")
    for forged in (unsigned, by_public_key, f"{head}.{body}.", f"{head}.{body}.{signature[::-1]}",
                   f"{head}.{body}", "a.b.c", "…"):  # fmt: skip
        headers = [(b"authorization", b"Bearer " + forged.encode())]
        assert visitor.get("/v1/archive", headers=headers).status_code == 401


def test_the_clocks_of_provider_and_server_may_differ_a_little(
    visitor: TestClient, provider: IdentityProvider
) -> None:
    now = jwt.decode(provider.token(), options={"verify_signature": False})["iat"]
    for seconds, status in ((20, 200), (60, 401)):
        late = provider.token(exp=now - seconds)
        assert visitor.get("/v1/archive", headers=bearer(late)).status_code == status


def test_when_the_provider_changes_its_keys_new_tokens_open_and_old_ones_do_not(
    visitor: TestClient, provider: IdentityProvider
) -> None:
    old = provider.token()
    assert visitor.get("/v1/archive", headers=bearer(old)).status_code == 200
    provider.rotate()
    assert visitor.get("/v1/archive", headers=bearer(provider.token())).status_code == 200
    assert visitor.get("/v1/archive", headers=bearer(old)).status_code == 401


def test_a_page_that_logs_in_by_key_sees_pictures_and_asks(
    visitor: TestClient, keys: KeyFile
) -> None:
    csrf = log_in(visitor, keys.add("page", Role.READER))
    assert visitor.get("/v1/session").json()["principal"] == "key:page"
    answer = visitor.post("/v1/search", json=QUESTION, headers={"X-CSRF-Token": csrf})
    assert answer.status_code == 200
    assert visitor.get(answer.json()["cases"][0]["images"][0]["uri"]).status_code == 200
    by_image = visitor.post(
        "/v1/search/image", files={"image": ("x", png(disc(1)))}, headers={"X-CSRF-Token": csrf}
    )
    assert by_image.status_code == 200


def test_the_cookie_is_out_of_reach_of_scripts_and_of_other_sites(
    visitor: TestClient, keys: KeyFile
) -> None:
    key = keys.add("page", Role.READER)
    cookie = visitor.post("/v1/session", json={"key": key}).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert key not in cookie
    over_tls = TestClient(visitor.app, base_url=OWN.replace("http:", "https:"))
    assert "Secure" in over_tls.post("/v1/session", json={"key": key}).headers["set-cookie"]


@pytest.mark.parametrize("sent", [{}, {"X-CSRF-Token": "guess"}, {"X-CSRF-Token": ""}])
def test_a_request_with_the_cookie_alone_changes_nothing(
    visitor: TestClient, keys: KeyFile, sent: dict[str, str]
) -> None:
    log_in(visitor, keys.add("page", Role.READER))
    refused = visitor.post("/v1/search", json=QUESTION, headers=sent)
    assert (refused.status_code, refused.json()["kind"]) == (403, "forbidden")
    assert visitor.delete("/v1/session", headers=sent).status_code == 403


def test_who_logs_out_is_out(visitor: TestClient, keys: KeyFile) -> None:
    csrf = log_in(visitor, keys.add("page", Role.READER))
    kept = visitor.cookies["coin_session"]
    assert visitor.delete("/v1/session", headers={"X-CSRF-Token": csrf}).status_code == 204
    assert visitor.get("/v1/session").json()["principal"] is None
    stolen = visitor.get("/v1/archive", headers={"Cookie": f"coin_session={kept}"})
    assert stolen.status_code == 401


def test_a_session_that_was_planted_before_the_login_is_worth_nothing(
    visitor: TestClient, keys: KeyFile
) -> None:
    visitor.cookies.set("coin_session", "planted")
    log_in(visitor, keys.add("page", Role.READER))
    stolen = visitor.get("/v1/archive", headers={"Cookie": "coin_session=planted"})
    assert stolen.status_code == 401


def test_a_login_at_the_provider_ends_on_the_page(
    visitor: TestClient, provider: IdentityProvider
) -> None:
    away = visitor.get("/v1/session/provider")
    assert away.headers["location"].startswith(f"{provider.issuer}/authorize?")
    back = walk(away.headers["location"])
    done = visitor.get(back)
    assert (done.status_code, done.headers["location"]) == (303, "/")
    assert visitor.get("/v1/session").json()["principal"] == "oidc:dr-lee"
    assert visitor.get("/v1/archive").status_code == 200


def test_a_login_counts_once_and_only_in_the_browser_that_began_it(
    visitor: TestClient, served: TestClient
) -> None:
    back = walk(visitor.get("/v1/session/provider").headers["location"])
    other = TestClient(served.app, base_url=OWN, follow_redirects=False)
    assert other.get(back).status_code == 401
    # it was spent on the attempt
    assert visitor.get(back).status_code == 401


@pytest.mark.parametrize("query", ["", "?code=x", "?state=x", "?code=x&state=y"])
def test_a_login_that_never_began_ends_nowhere(visitor: TestClient, query: str) -> None:
    assert visitor.get(f"/v1/session/callback{query}").status_code == 401


def test_somebody_without_a_role_is_not_logged_in(
    visitor: TestClient, provider: IdentityProvider
) -> None:
    provider.roles = ["visitor"]
    try:
        back = walk(visitor.get("/v1/session/provider").headers["location"])
        assert visitor.get(back).status_code == 401
    finally:
        provider.roles = ["reader"]


def walk(address: str) -> str:
    """Follow a browser's way through the provider; where it sends the browser back to."""
    location: str = httpx2.get(address).headers["location"]
    return location.removeprefix(OWN)


def test_who_guesses_keys_is_made_to_wait(make_app: MakeApp, tmp_path: Path) -> None:
    settings = AccessSettings(keys=tmp_path / "keys.json", logins_per_minute=6)
    key = KeyFile(tmp_path / "keys.json").add("good", Role.READER)
    app = make_app(access=settings)
    with serving(app) as client:
        statuses = [
            client.get("/v1/archive", headers=bearer(f"coin_0000000{n}_{'x' * 43}")).status_code
            for n in range(6)
        ]
        assert statuses == [401, 401, 401, 429, 429, 429]
        assert client.post("/v1/session", json={"key": "guess"}).status_code == 429
        # a guesser at the same address does not keep others out
        assert client.get("/v1/archive", headers=bearer(key)).status_code == 200


def test_one_principal_asks_only_so_often(make_app: MakeApp, tmp_path: Path) -> None:
    settings = AccessSettings(keys=tmp_path / "keys.json", questions_per_minute=4)
    keys = KeyFile(tmp_path / "keys.json")
    busy, calm = keys.add("busy", Role.READER), keys.add("calm", Role.READER)
    app = make_app(access=settings)
    with serving(app) as client:

        def ask(key: str) -> Any:
            return client.post("/v1/search", json=QUESTION, headers=bearer(key))

        answers = [ask(busy) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]
        assert int(answers[-1].headers["retry-after"]) > 0
        assert client.get("/v1/archive", headers=bearer(busy)).status_code == 200
        assert ask(calm).status_code == 200


def test_a_server_without_accounts_says_so(client: TestClient) -> None:
    told = client.get("/v1/session").json()
    assert (told["accounts"], told["principal"]) == (False, "local")
    assert client.post("/v1/session", json={"key": "x"}).status_code == 404
