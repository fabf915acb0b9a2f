"""FHIR reports over HTTP."""

from __future__ import annotations

import base64
import json
import re
from typing import Any

import pytest
from fastapi.testclient import TestClient
from unit.server.ground import REPORT

FHIR = {"Content-Type": "application/fhir+json; fhirVersion=4.0"}
R4 = {
    "resourceType": "DiagnosticReport",
    "status": "final",
    "code": {"text": "Cytology"},
    "subject": {"display": "Mustermann, Erika"},
    "contained": [
        {"resourceType": "Patient", "name": [{"family": "Mustermann", "given": ["Erika"]}],
         "birthDate": "1964-08-12"}
    ],
    "conclusion": f"Ms Mustermann, born 12.08.1964: {REPORT}",
}  # fmt: skip
R5 = {
    "resourceType": "DiagnosticReport",
    "status": "final",
    "code": {"text": "Cytology"},
    "text": {
        "status": "generated",
        "div": f"<div><p>Patient: Eve Example</p><p>{REPORT}</p></div>",
    },
}


def ask(client: TestClient, resource: object, **query: Any) -> Any:
    return client.post("/v1/search/fhir", content=json.dumps(resource), headers=FHIR, params=query)


@pytest.mark.parametrize(("resource", "secret"), [(R4, "Mustermann"), (R5, "Eve")])
def test_a_report_is_answered_without_the_person(
    client: TestClient, resource: object, secret: str
) -> None:
    answer = ask(client, resource, k=2)
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["cases"]) == 2
    assert secret not in answer.text
    # ids are digests, in which four digits may well stand
    assert not re.search(r"(?<![0-9a-f])1964(?![0-9a-f])", answer.text)
    assert any("removed" in notice for notice in answer.json()["notices"])


def test_that_only_the_narrative_was_there_is_told(client: TestClient) -> None:
    assert any("narrative" in notice for notice in ask(client, R5).json()["notices"])
    assert not any("narrative" in notice for notice in ask(client, R4).json()["notices"])


def test_an_attachment_may_be_larger_than_a_plain_question(client: TestClient) -> None:
    picture = base64.b64encode(bytes(120_000)).decode()
    form = {"contentType": "image/png", "data": picture}
    assert ask(client, {**R4, "presentedForm": [form]}).status_code == 200


@pytest.mark.parametrize(
    ("resource", "status"),
    [({"resourceType": "Bundle"}, 422), ([], 422), ({**R4, "status": "entered-in-error"}, 422),
     ({**R4, "conclusion": ""}, 422)],
)  # fmt: skip
def test_what_is_no_report_is_refused(client: TestClient, resource: object, status: int) -> None:
    refused = ask(client, resource)
    assert refused.status_code == status
    assert refused.json()["kind"] == "report"
    assert "Mustermann" not in refused.text


def test_another_content_type_is_refused(client: TestClient) -> None:
    refused = client.post("/v1/search/fhir", json=R4)
    assert (refused.status_code, refused.json()["expected"]) == (415, "application/fhir+json")
