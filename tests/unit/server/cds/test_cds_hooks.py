"""CDS Hooks end to end: real tokens, a real health record's keys, cards, feedback."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml
from fastapi.testclient import TestClient
from unit.server.access.provider import IdentityProvider, running_provider
from unit.server.ground import OWN, PRIVATE, REPORT, MakeApp, serving
from unit.server.test_fhir import R4, R5

from coin_retrieval.errors import SettingsError
from server.access.settings import AccessSettings
from server.audit.chain import AuditLog, audit_files, records
from server.cds.clients import read_clients
from server.cds.models import Cards

ADDRESS = "/cds-services/similar-cytology"
ORIGIN = "https://ehr.example"


@pytest.fixture(scope="module")
def ehr() -> Iterator[IdentityProvider]:
    with running_provider() as running:
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cds")


@pytest.fixture(scope="module")
def served(make_app: MakeApp, ehr: IdentityProvider, folder: Path) -> Iterator[TestClient]:
    named = [{"iss": ehr.issuer, "jwks_url": f"{ehr.issuer}/jwks", "origins": [ORIGIN]}]
    (folder / "clients.yaml").write_text(yaml.safe_dump(named))
    with AuditLog(folder / "audit", key=bytes(32), keep_days=400) as audit:
        app = make_app(
            access=AccessSettings(keys=folder / "keys.json"),
            audit=audit,
            cds=read_clients(folder / "clients.yaml"),
        )
        with serving(app) as client:
            yield client


def asked(**prefetch: Any) -> dict[str, Any]:
    """A call as CDS Hooks 2.0 shows it."""
    return {
        "hookInstance": str(uuid.uuid4()),
        "hook": "patient-view",
        "fhirServer": "https://ehr.example/fhir",
        "context": {"userId": "Practitioner/example", "patientId": "1288992"},
        "prefetch": prefetch,
    }


def token(ehr: IdentityProvider, address: str = ADDRESS, **changed: Any) -> str:
    claims = {"aud": OWN + address, "jti": str(uuid.uuid4()), "roles": None}
    return ehr.token(**(claims | changed))


def call(
    served: TestClient,
    ehr: IdentityProvider,
    body: object,
    *,
    address: str = ADDRESS,
    **changed: Any,
) -> Any:
    headers = {"Authorization": f"Bearer {token(ehr, address, **changed)}"}
    return served.post(address, json=body, headers=headers)


def test_what_is_offered_is_told_to_everybody(served: TestClient) -> None:
    (service,) = served.get("/cds-services").json()["services"]
    assert (service["hook"], service["id"]) == ("patient-view", "similar-cytology")
    assert "DiagnosticReport" in service["prefetch"]["report"]
    assert "{{context.patientId}}" in service["prefetch"]["report"]


@pytest.mark.parametrize(
    "report", [R4, R5, {"resourceType": "Bundle", "entry": [{"resource": R4}]}],
    ids=["R4", "R5", "Bundle"],
)  # fmt: skip
def test_a_report_becomes_one_card_of_counts_and_closeness(
    served: TestClient, ehr: IdentityProvider, report: object
) -> None:
    answer = call(served, ehr, asked(report=report))
    assert answer.status_code == 200, answer.text
    (card,) = Cards.model_validate(answer.json()).cards
    assert card.indicator == "info"
    assert "cases" in card.summary or "case" in card.summary
    assert "not a diagnosis" in card.source.label.lower()
    assert (card.links[0].type, card.links[0].url) == ("absolute", OWN + "/")
    assert card.overrideReasons
    assert uuid.UUID(card.uuid)
    for secret in ("Mustermann", "Eve", "1964", REPORT):
        assert secret not in answer.text


@pytest.mark.parametrize(
    "prefetch",
    [{}, {"report": None}, {"report": {"resourceType": "Bundle"}}, {"other": R4},
     {"report": {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient"}}]}},
     {"report": {**R4, "status": "entered-in-error"}}],
)  # fmt: skip
def test_without_a_usable_report_there_is_no_card(
    served: TestClient, ehr: IdentityProvider, prefetch: dict[str, Any]
) -> None:
    answer = call(served, ehr, asked(**prefetch))
    assert (answer.status_code, answer.json()) == (200, {"cards": []})


@pytest.mark.parametrize(
    "body",
    [{}, {"hook": "order-select"}, {**asked(), "hookInstance": "one"}, {**asked(), "context": {}},
     {**asked(), "prefetch": ["x"]}, []],
)  # fmt: skip
def test_what_is_no_call_is_refused(
    served: TestClient, ehr: IdentityProvider, body: object
) -> None:
    assert call(served, ehr, body).status_code == 422


@pytest.mark.parametrize(
    "changed",
    [{"aud": OWN + "/cds-services/other"}, {"exp": 1_000_000_000}, {"jti": None}, {"iat": None},
     {"iss": "https://evil.example"}, {"exp": int(time.time()) + 86_400}],
    ids=["audience", "expired", "no jti", "no beginning", "issuer", "too long"],
)  # fmt: skip
def test_a_token_that_is_not_for_this_call_is_refused(
    served: TestClient, ehr: IdentityProvider, changed: dict[str, Any]
) -> None:
    assert call(served, ehr, asked(report=R4), **changed).status_code == 401


def test_a_token_counts_once(served: TestClient, ehr: IdentityProvider) -> None:
    headers = {"Authorization": f"Bearer {token(ehr)}"}
    first = served.post(ADDRESS, json=asked(report=R4), headers=headers)
    again = served.post(ADDRESS, json=asked(report=R4), headers=headers)
    assert (first.status_code, again.status_code) == (200, 401)


def test_a_forged_token_is_refused(served: TestClient, ehr: IdentityProvider) -> None:
    claims = jwt.decode(token(ehr), options={"verify_signature": False})
    for forged in (jwt.encode(claims, None, algorithm="none"), "a.b.c", ""):
        headers = {"Authorization": f"Bearer {forged}"}
        assert served.post(ADDRESS, json=asked(report=R4), headers=headers).status_code == 401
    assert served.post(ADDRESS, json=asked(report=R4)).status_code == 401


def test_pages_of_the_record_may_call_and_no_others(
    served: TestClient, ehr: IdentityProvider
) -> None:
    asks = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type"}  # fmt: skip
    allowed = served.options(ADDRESS, headers=asks)
    assert allowed.headers["access-control-allow-origin"] == ORIGIN
    evil = served.options(ADDRESS, headers={**asks, "Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in evil.headers
    for origin, status in ((ORIGIN, 200), ("https://evil.example", 403)):
        headers = {"Authorization": f"Bearer {token(ehr)}", "Origin": origin}
        answer = served.post(ADDRESS, json=asked(report=R4), headers=headers)
        assert answer.status_code == status
    elsewhere = served.post("/v1/search", json={"report": REPORT}, headers={"Origin": ORIGIN})
    assert elsewhere.status_code == 403


def test_what_became_of_a_card_is_kept_with_its_coded_reason_and_without_comments(
    served: TestClient, ehr: IdentityProvider, folder: Path
) -> None:
    (card,) = call(served, ehr, asked(report=R4)).json()["cards"]
    told = {
        "feedback": [
            {"card": card["uuid"], "outcome": "overridden",
             "overrideReason": {"reason": card["overrideReasons"][0], "userComment": PRIVATE},
             "outcomeTimestamp": "2026-11-29T12:00:00Z"}
        ]
    }  # fmt: skip
    answer = call(served, ehr, told, address=f"{ADDRESS}/feedback")
    assert answer.status_code == 200, answer.text
    written = [one for path in audit_files(folder / "audit") for one in records(path)]
    (kept,) = [one for one in written if one["what"] == "card"]
    assert (kept["card"], kept["reason"]) == (card["uuid"], "not-similar")
    assert kept["who"] == f"cds:{ehr.issuer}"
    assert PRIVATE not in str(written)


def test_every_call_is_in_the_audit_log(
    served: TestClient, ehr: IdentityProvider, folder: Path
) -> None:
    call(served, ehr, asked(report=R4))
    last = [one for path in audit_files(folder / "audit") for one in records(path)][-1]
    assert (last["who"], last["status"]) == (f"cds:{ehr.issuer}", 200)
    assert last["cases"]


@pytest.mark.parametrize("text", ["{", "- iss: x", "[]]", "- {iss: x, jwks_url: nowhere}"])
def test_a_file_of_clients_that_cannot_be_used_is_told(tmp_path: Path, text: str) -> None:
    (tmp_path / "clients.yaml").write_text(text)
    with pytest.raises(SettingsError, match="iss, jwks_url and origins"):
        read_clients(tmp_path / "clients.yaml")
