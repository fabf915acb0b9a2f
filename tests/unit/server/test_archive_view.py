"""The archive as a whole, and its cases."""

from __future__ import annotations

from pathlib import Path

from fastapi.testclient import TestClient
from unit.server.ground import ROWS


def test_the_archive_says_what_it_holds(client: TestClient) -> None:
    answer = client.get("/v1/archive").json()
    assert (answer["images"], answer["cases"]) == (len(ROWS), len({row[1] for row in ROWS}))
    assert answer["modes"] == ["fused", "prototype", "text"]
    assert answer["generator"] == "tiny"
    assert answer["encoder"]["dim"] == 16
    assert answer["demonstration"] is False


def test_the_archive_lists_what_can_be_filtered_on(client: TestClient) -> None:
    fields = {field["name"]: field for field in client.get("/v1/archive").json()["fields"]}
    assert fields["site"]["values"][0] == {"value": "cervix", "images": 2}
    assert {value["value"] for value in fields["cell_size"]["values"]} == {"large", "small"}


def test_case_ids_are_not_listed(client: TestClient) -> None:
    fields = {field["name"]: field for field in client.get("/v1/archive").json()["fields"]}
    assert fields["case_id"]["values"] == []


def test_the_archive_does_not_say_where_it_lies(client: TestClient, archive_dir: Path) -> None:
    assert str(archive_dir.parent) not in client.get("/v1/archive").text


def test_a_case_comes_with_its_record_and_all_its_images(client: TestClient) -> None:
    case = client.get("/v1/cases/A-1").json()
    assert case["site"] == "cervix"
    assert case["report"] == "A report of case A-1."
    assert [image["diagnosis"] for image in case["images"]] == ["LSIL", "HSIL"]
    assert case["images"][0]["attributes"] == {"cell_size": "large"}
    assert len(case["images"][0]["content_hash"]) == 64


def test_a_case_names_no_file_of_the_server(client: TestClient, archive_dir: Path) -> None:
    text = client.get("/v1/cases/A-1").text
    assert "file:" not in text
    assert str(archive_dir.parent) not in text


def test_a_case_id_may_hold_a_slash(client: TestClient) -> None:
    assert client.get("/v1/cases/B%2F2").json()["case_id"] == "B/2"


def test_an_unknown_case_is_404(client: TestClient) -> None:
    answer = client.get("/v1/cases/none")
    assert answer.status_code == 404
    assert answer.json()["value"] == "none"
