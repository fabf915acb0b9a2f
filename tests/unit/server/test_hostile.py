"""Whoever means harm gets what the documentation says, and leaves no word of theirs in the log."""

from __future__ import annotations

import io
import json
import logging
import socket
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2
import jwt
import pytest
import yaml
from unit.server.access.provider import AUDIENCE, CLIENT, IdentityProvider, running_provider
from unit.server.ground import PATIENCE_S, PRIVATE, REPORT, MakeApp, listening_at
from unit.server.hostile import FAMILIES

from coin_retrieval.testing.noise_prototyper import NoisePrototyper
from server.access.keys import KeyFile
from server.access.principals import Role
from server.access.settings import AccessSettings
from server.audit.chain import AuditLog
from server.cds.clients import read_clients
from server.limits import ServerLimits

LIMITS = ServerLimits(
    upload_bytes=400_000, json_bytes=110_000, headers_s=2, body_s=2, connections=400
)
QUESTION = {"report": REPORT, "mode": "text", "k": 1}
CARD = "/cds-services/similar-cytology"


@dataclass(frozen=True)
class Target:
    """A server with all that it can have, and what its log says."""

    address: str
    keys: KeyFile
    key: str
    provider: IdentityProvider
    log: io.StringIO
    audit: Path

    @property
    def port(self) -> int:
        return int(self.address.rpartition(":")[2])

    def send(self, wire: bytes) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer to some bytes; 0: none came."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE_S) as client:
            # a refusal may come, and the connection end, before all is sent
            with suppress(OSError):
                client.sendall(wire)
            received = _all(client)
        head, _, body = received.partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 "):
            return 0, {}, received
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {line.partition(": ")[0].lower(): line.partition(": ")[2] for line in lines}
        return int(first.split()[1]), headers, body

    def get(self, presented: str, scheme: str = "Bearer") -> int:
        """The status that who presents this gets for the archive."""
        wire = "GET /v1/archive HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        return self.send(f"{wire}Authorization: {scheme} {presented}\r\n\r\n".encode())[0]


def _all(client: socket.socket) -> bytes:
    client.settimeout(PATIENCE_S)
    received = b""
    with suppress(OSError):
        while part := client.recv(65536):
            received += part
    return received


@pytest.fixture(scope="module")
def target(
    make_app: MakeApp,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Target]:
    folder, log = tmp_path_factory.mktemp("hostile"), io.StringIO()
    handler = logging.StreamHandler(log)
    loggers = [logging.getLogger(name) for name in ("coin.server", "uvicorn", "asyncio")]
    for logger in loggers:
        logger.addHandler(handler)
        logger.setLevel(logging.DEBUG)
    keys = KeyFile(folder / "keys.json")
    with ExitStack() as stack:
        provider = stack.enter_context(running_provider())
        audit = stack.enter_context(AuditLog(folder / "audit", key=bytes(32), keep_days=400))
        clients = [{"iss": provider.issuer, "jwks_url": f"{provider.issuer}/jwks"}]
        (folder / "clients.yaml").write_text(yaml.safe_dump(clients))
        access = AccessSettings.model_validate(
            {"keys": keys.path, "oidc_issuer": provider.issuer, "oidc_audience": AUDIENCE,
             "oidc_client": CLIENT, "oidc_cooldown_s": 0, "logins_per_minute": 100_000,
             "questions_per_minute": 100_000, "requests_per_minute": 100_000}
        )  # fmt: skip
        app = make_app(
            NoisePrototyper(),
            limits=LIMITS, access=access, audit=audit, cds=read_clients(folder / "clients.yaml"),
        )  # fmt: skip
        address = stack.enter_context(listening_at(app, LIMITS))
        key = keys.add("attacker", Role.READER)
        yield Target(address, keys, key, provider, log, folder / "audit")
    for logger in loggers:
        logger.removeHandler(handler)


@pytest.fixture(autouse=True)
def nothing_private_is_logged(target: Target) -> Iterator[None]:
    """And the server answers as before."""
    yield
    written = target.log.getvalue()
    written += "".join(path.read_text() for path in target.audit.glob("audit-*.jsonl"))
    assert [word for word in PRIVATE.split() if word.lower() in written.lower()] == []
    assert target.key not in written
    assert "Traceback" not in target.log.getvalue()
    assert target.get(target.key) == 200


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_sent_is_refused_or_answered_as_documented(target: Target, family: str) -> None:
    wrong = []
    for sent in FAMILIES[family]():
        status, headers, body = target.send(sent.wire(f"127.0.0.1:{target.port}", target.key))
        shaped = status < 400 or headers.get("content-type") == "application/problem+json"
        if status not in sent.allowed or not shaped or b"Traceback" in body:
            wrong.append(f"{family}: {sent.name}: {status} {body[:200]!r}")
    assert wrong == []


def test_forged_expired_and_foreign_tokens_open_nothing(target: Target) -> None:
    provider = target.provider
    now, good = int(time.time()), provider.token()
    head, body, signature = good.split(".")
    claims = jwt.decode(good, options={"verify_signature": False})
    public = json.dumps(provider.jwks()["keys"][0])
    key_id, secret = target.key.split("_", 2)[1:]
    target.keys.add("gone", Role.ADMIN)
    revoked = target.keys.add("revoked", Role.ADMIN)
    target.keys.revoke("revoked")
    presented = [
        *(provider.token(**changed) for changed in (
            {"exp": now - 3600}, {"exp": now - 61}, {"exp": None}, {"exp": "soon"}, {"exp": -1},
            {"nbf": now + 3600}, {"iat": now + 3600}, {"iat": None}, {"aud": "another"},
            {"aud": CLIENT}, {"aud": None}, {"aud": []}, {"iss": "https://evil.example"},
            {"iss": None}, {"iss": provider.issuer + "/"}, {"sub": None}, {"roles": ["visitor"]},
            {"roles": None}, {"roles": [["reader"]]}, {"roles": "readers"}, {"roles": {}},
        )),
        jwt.encode(claims, None, algorithm="none"),
        *(jwt.encode(claims, key, "HS256") for key in (public[20:], "secret" * 6)),
        *(jwt.encode(claims, "x" * 32, "HS256", headers=more) for more in (
            {"kid": provider.kid}, {"kid": "../../dev/null"}, {"jku": "http://evil.example/jwks"},
            {"jwk": provider.jwks()["keys"][0]}, {"x5u": "http://evil.example/c"},
            {"crit": ["exp"]}, {"kid": "' OR 1=1"},
        )),
        f"{head}.{body}.", f"{head}.{body}.{signature[::-1]}", f"{head}.{body}", f"{head}..",
        f"{head}.{body}.{signature}.x", good.upper(), good[:-2], "a.b.c", "." * 500, "x" * 20_000,
        revoked, target.key[:-1], target.key + "x", target.key.upper(),
        target.key.replace("_", "-"),
        f"coin_{'0' * 8}_{secret}", f"coin_{key_id}_{'x' * 43}", f"coin_{key_id}_", "coin__",
        "", PRIVATE, PRIVATE.replace(" ", "_"), "\u202e" + target.key, "%00", target.key + "\0",
    ]  # fmt: skip
    opened = [one for one in presented if target.get(one) not in (400, 401)]
    assert opened == []
    assert {target.get(target.key, scheme) for scheme in ("Basic", "Digest", "Token", "")} == {401}
    assert target.get(good) == 200


def test_a_session_without_its_token_and_a_login_used_twice_are_worth_nothing(
    target: Target,
) -> None:
    with httpx2.Client(base_url=target.address, timeout=PATIENCE_S) as page:
        csrf = page.post("/v1/session", json={"key": target.key}).json()["csrf"]
        for sent in ({}, {"X-CSRF-Token": ""}, {"X-CSRF-Token": "guess"},
                     {"X-CSRF-Token": csrf[::-1]}, {"X-CSRF-Token": PRIVATE}):  # fmt: skip
            for path in ("/v1/search", "/v1/generate", "/v1/jobs", "/v1/search/stream"):
                assert page.post(path, json=QUESTION, headers=sent).status_code == 403
            assert page.delete("/v1/session", headers=sent).status_code == 403
        assert page.post("/v1/search", json=QUESTION, headers={"X-CSRF-Token": csrf}).is_success
        away = page.get("/v1/session/provider").headers["location"]
        back = httpx2.get(away).headers["location"]
        assert page.get(back).status_code == 303
        assert page.get(back).status_code == 401


def test_a_call_of_a_health_record_counts_once(target: Target) -> None:
    called = target.address + CARD
    claims = {"aud": called, "jti": str(uuid.uuid4()), "roles": None}
    body = {"hookInstance": str(uuid.uuid4()), "hook": "patient-view",
            "context": {"userId": "Practitioner/x", "patientId": "1"}, "prefetch": {}}  # fmt: skip

    def call(**changed: object) -> int:
        bearer = {"Authorization": f"Bearer {target.provider.token(**(claims | changed))}"}
        return httpx2.post(called, json=body, headers=bearer, timeout=PATIENCE_S).status_code

    wrong = ({"aud": target.address}, {"iss": "https://evil.example"}, {"jti": None},
             {"exp": int(time.time()) - 700}, {"exp": int(time.time()) + 90_000})  # fmt: skip
    assert [call(**changed) for changed in wrong] == [401] * len(wrong)
    assert [call(), call()] == [200, 401]


def test_eleven_hundred_connections_that_send_slowly_keep_nobody_out_for_long(
    target: Target,
) -> None:
    began = time.monotonic()
    with ExitStack() as stack:
        held = []
        for number in range(1100):
            client = stack.enter_context(closing(socket.socket()))
            client.settimeout(PATIENCE_S)
            client.connect(("127.0.0.1", target.port))
            start = b"POST /v1/search HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
            with_body = number % 2 and number < LIMITS.connections
            client.sendall(start if with_body else b"GET / HTTP/1.1\r\nX-" + PRIVATE[:9].encode())
            held.append(client)
        answers = [_all(client)[:12] for client in held]
    # too many: come back; too slow with the headers: 408; with the body: 401, nobody is named
    statuses = {answer[9:12].decode() for answer in answers}
    assert statuses <= {"503", "408", "401", ""}
    # on a busy machine the first are timed out before the last come, and make room for them
    assert any(answer.endswith(b"503") for answer in answers)
    assert time.monotonic() - began < 2 * PATIENCE_S
