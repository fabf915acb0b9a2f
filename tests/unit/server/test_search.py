"""Questions over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from unit.server.ground import REPORT, ROWS, disc, png, serving

from coin_retrieval.generation.base import Generator
from coin_retrieval.retrieval.answer import SearchAnswer
from coin_retrieval.retrieval.retriever import Retriever
from server.app import create_app


def ask(client: TestClient, **body: Any) -> Any:
    answer = client.post("/v1/search", json={"report": REPORT, "prototypes": 2, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_report_is_answered_with_prototypes_and_all_cases_that_were_asked_for(
    client: TestClient,
) -> None:
    answer = ask(client, k=4)
    assert answer["query"] == {"report": REPORT, "mode": "fused", "dropped_text": ""}
    assert [p["seed"] for p in answer["prototypes"]] == [0, 1]
    assert len(answer["cases"]) == 4
    similarities = [case["similarity"] for case in answer["cases"]]
    assert similarities == sorted(similarities, reverse=True)


def test_the_answer_is_the_command_lines(client: TestClient) -> None:
    assert SearchAnswer.model_validate(ask(client))


def test_an_answer_names_no_file_of_the_server(client: TestClient, archive_dir: Path) -> None:
    text = json.dumps(ask(client))
    assert "file:" not in text
    assert str(archive_dir.parent) not in text
    assert ".jpg" not in text


def test_every_picture_of_an_answer_can_be_fetched(client: TestClient) -> None:
    answer = ask(client)
    paths = [p["path"] for p in answer["prototypes"]]
    paths += [image["uri"] for case in answer["cases"] for image in case["images"]]
    assert len(paths) == 2 + len(ROWS)
    assert {client.get(path).status_code for path in paths} == {200}


def test_a_filter_takes_one_value(client: TestClient) -> None:
    cases = ask(client, where={"site": "urine"})["cases"]
    assert {case["case_id"] for case in cases} == {"B/2", "C-3"}


def test_a_filter_takes_a_list_of_which_one_must_fit(client: TestClient) -> None:
    cases = ask(client, where={"site": ["urine", "cervix"], "stain": "Papanicolaou"})["cases"]
    assert {case["case_id"] for case in cases} == {"A-1", "B/2"}


def test_a_filter_leaves_out_the_images_of_a_case_that_do_not_fit(client: TestClient) -> None:
    (case,) = ask(client, where={"diagnosis": "HSIL"})["cases"]
    assert [image["diagnosis"] for image in case["images"]] == ["HSIL"]


def test_a_filter_that_nothing_fits_finds_nothing(client: TestClient) -> None:
    assert ask(client, where={"site": "brain"})["cases"] == []


def test_a_case_of_two_diagnoses_shows_both(client: TestClient) -> None:
    cases = {case["case_id"]: case for case in ask(client)["cases"]}
    assert set(cases["A-1"]["diagnoses"]) == {"LSIL", "HSIL"}


def test_text_mode_draws_nothing(client: TestClient) -> None:
    assert ask(client, mode="text")["prototypes"] == []


def test_the_same_seed_shows_the_same_prototypes_and_another_seed_others(
    client: TestClient,
) -> None:
    first, again, other = (ask(client, seed=seed)["prototypes"] for seed in (5, 5, 9))
    assert [p["id"] for p in first] == [p["id"] for p in again]
    assert not {p["id"] for p in first} & {p["id"] for p in other}


def test_a_report_longer_than_the_models_read_says_what_was_dropped(client: TestClient) -> None:
    long = f"{REPORT} " * 60
    dropped = ask(client, report=long)["query"]["dropped_text"]
    assert dropped
    assert " ".join(long.split()).endswith(dropped.strip())


def test_an_image_finds_itself_first(client: TestClient) -> None:
    answer = client.post("/v1/search/image", files={"image": ("x", png(disc(3)))}).json()
    assert answer["query"]["mode"] == "image"
    assert answer["prototypes"] == []
    assert answer["cases"][0]["case_id"] == "C-3"
    assert answer["cases"][0]["similarity"] == pytest.approx(1, abs=1e-4)


def test_an_image_search_takes_a_count_and_a_filter(client: TestClient) -> None:
    answer = client.post(
        "/v1/search/image",
        files={"image": ("x", png(disc(3)))},
        data={"k": "1", "where": '{"site": ["cervix", "thyroid"]}'},
    ).json()
    assert len(answer["cases"]) == 1
    assert answer["cases"][0]["site"] in ("cervix", "thyroid")


def test_generate_draws_without_searching(client: TestClient) -> None:
    answer = client.post("/v1/generate", json={"report": REPORT, "n": 3, "seed": 40}).json()
    assert set(answer) == {"report", "dropped_text", "prototypes", "timings_ms"}
    assert [p["seed"] for p in answer["prototypes"]] == [40, 41, 42]
    assert all(p["synthetic"] for p in answer["prototypes"])


def test_a_search_finds_what_generate_has_drawn(client: TestClient) -> None:
    drawn = client.post("/v1/generate", json={"report": REPORT, "n": 2, "seed": 70}).json()
    found = ask(client, seed=70)
    assert [p["id"] for p in found["prototypes"]] == [p["id"] for p in drawn["prototypes"]]


def test_without_a_generator_a_report_is_searched_by_its_text(
    archive_dir: Path, make_retriever: Callable[[Path, Generator | None], Retriever]
) -> None:
    with serving(create_app(lambda: make_retriever(archive_dir, None))) as client:
        assert client.get("/v1/archive").json()["modes"] == ["text"]
        assert ask(client)["query"]["mode"] == "text"
        refused = client.post("/v1/search", json={"report": REPORT, "mode": "fused"})
        assert refused.status_code == 409
        assert "text" in refused.json()["error"]["remedy"]
