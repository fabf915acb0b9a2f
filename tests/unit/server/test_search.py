"""Questions over HTTP."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from unit.server.ground import REPORT, ROWS, MakeApp, disc, png, serving

from coin_retrieval.presenting.answer import SearchAnswer
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.search.retriever import Retriever
from server.app import create_app


def ask(client: TestClient, **body: Any) -> Any:
    answer = client.post("/v1/search", json={"report": REPORT, "prototypes": 2, **body})
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_report_is_answered_with_prototypes_and_all_cases_that_were_asked_for(
    client: TestClient,
) -> None:
    answer = ask(client, k=4)
    assert answer["query"].pop("asked")["k"] == 4
    assert answer["query"] == {
        "report": REPORT,
        "mode": "fused",
        "searched": REPORT,
        "kept": [{"start": 0, "end": len(REPORT), "text": REPORT}],
        "left_out": [],
        "unread": [],
        "dropped_text": "",
        "corrections": [],
        "offers": [],
        "language": "",
        "words": 10,
        "unknown": [],
        "site": None,
        "specimens": [],
        "specimen": "",
    }
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


def test_a_picture_of_the_archive_is_told_so_and_counts_for_nothing(client: TestClient) -> None:
    answer = client.post("/v1/search/image", files={"image": ("x", png(disc(3)))}).json()
    assert answer["query"]["mode"] == "image"
    assert answer["prototypes"] == []
    (own,) = answer["own"]
    assert (own["case"]["case_id"], own["because"]) == ("C-3", "picture")
    assert own["case"]["similarity"] == pytest.approx(1, abs=1e-4)
    assert "C-3" not in {case["case_id"] for case in answer["cases"]}
    assert answer["support"]["counted"] == len(answer["cases"])


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
    assert set(answer) == {
        "report", "dropped_text", "prototypes", "timings_ms", "corrections", "offers", "notices"
    }  # fmt: skip
    assert [p["seed"] for p in answer["prototypes"]] == [40, 41, 42]
    assert all(p["synthetic"] for p in answer["prototypes"])


def test_a_search_finds_what_generate_has_drawn(client: TestClient) -> None:
    drawn = client.post("/v1/generate", json={"report": REPORT, "n": 2, "seed": 70}).json()
    found = ask(client, seed=70)
    assert [p["id"] for p in found["prototypes"]] == [p["id"] for p in drawn["prototypes"]]


def test_without_a_generator_a_report_is_searched_by_its_text(make_app: MakeApp) -> None:
    with serving(make_app()) as client:
        assert client.get("/v1/archive").json()["modes"] == ["text"]
        assert ask(client)["query"]["mode"] == "text"
        refused = client.post("/v1/search", json={"report": REPORT, "mode": "fused"})
        assert refused.status_code == 409
        assert "text" in refused.json()["remedy"]


def test_support_has_shares_with_their_n_and_intervals(client: TestClient) -> None:
    support = ask(client)["support"]
    assert (support["counted"], support["unit"]) == (5, "case")
    assert sum(share["count"] for share in support["shares"]) == 5
    assert sum(share["share"] for share in support["shares"]) == pytest.approx(1, abs=1e-4)
    assert all(0 <= s["low"] <= s["share"] <= s["high"] <= 1 for s in support["shares"])
    assert "not a diagnosis" in support["caution"]


def test_where_nothing_close_is_held_that_is_said_before_all_else(client: TestClient) -> None:
    answer = ask(client)
    assert answer["closeness"]["verdict"] == "no"
    first = answer["summary"][0]
    assert (first["level"], first["text"]) == ("warning", answer["closeness"]["words"])
    assert answer["closeness"]["reasons"]


def test_where_closeness_was_never_measured_nothing_is_claimed(client: TestClient) -> None:
    answer = ask(client, report="", liked=["C-3"])
    assert answer["closeness"]["verdict"] == "not judged"
    told = [one for one in answer["summary"] if "not judged" in one["text"]]
    assert [one["level"] for one in told] == ["detail"]


def test_a_summary_names_no_command_and_tells_what_was_searched(client: TestClient) -> None:
    texts = " ".join(one["text"] for one in ask(client)["summary"])
    assert "coin" not in texts
    assert "Exact search of all of the archive’s 6 pictures" in texts


def test_where_nothing_was_found_there_is_no_support(client: TestClient) -> None:
    assert ask(client, where={"site": "brain"})["support"] is None


def test_a_liked_case_comes_nearer_and_a_disliked_one_farther(client: TestClient) -> None:
    def similarity(case_id: str, **marks: Any) -> float:
        answer = ask(client, mode="text", **marks)
        cases = [*answer["cases"], *(own["case"] for own in answer["own"])]
        return next(c["similarity"] for c in cases if c["case_id"] == case_id)

    before = similarity("B/2")
    assert similarity("B/2", liked=["B/2"]) > before > similarity("B/2", disliked=["B/2"])


def test_liked_cases_alone_are_searched_with(client: TestClient) -> None:
    answer = client.post("/v1/search", json={"report": "", "liked": ["C-3"]}).json()
    (own,) = answer["own"]
    assert (own["case"]["case_id"], own["because"]) == ("C-3", "marked")
    assert "C-3" not in {case["case_id"] for case in answer["cases"]}
    assert answer["prototypes"] == []


def test_words_that_are_not_looked_for_change_the_answer(client: TestClient) -> None:
    plain = ask(client, mode="text")["cases"]
    assert ask(client, mode="text", unlike="pale squamous cells")["cases"] != plain


def test_diversity_keeps_the_nearest_first_and_the_support_as_it_was(client: TestClient) -> None:
    plain, varied = ask(client, k=3), ask(client, k=3, diversity=1)
    assert varied["cases"][0] == plain["cases"][0]
    assert varied["support"] == plain["support"]


def test_the_reports_site_is_searched_in_the_open_and_all_sites_if_asked(
    client: TestClient,
) -> None:
    report = "Cervical smear: koilocytes with perinuclear halos."
    answer = ask(client, report=report, mode="text")
    site = answer["query"]["site"]
    assert (site["name"], site["how"], site["applied"]) == ("cervix", "named", True)
    assert site["phrase"]["text"] == "Cervical smear"
    assert {case["site"] for case in answer["cases"]} == {"cervix"}
    assert answer["plan"]["site"]["how"] == "named"
    whole = ask(client, report=report, mode="text", all_sites=True)
    assert not whole["query"]["site"]["applied"]
    assert len({case["site"] for case in whole["cases"]}) > 1


def test_what_a_report_denies_is_left_out_and_told(client: TestClient) -> None:
    query = ask(client, report="Koilocytes. No HSIL.", mode="text")["query"]
    assert query["searched"] == "Koilocytes."
    (left,) = query["left_out"]
    assert (left["start"], left["end"], left["text"]) == (12, 19, "No HSIL")
    assert (left["because"], left["why"], left["cue"]) == ("negated", "negated", "No")
    asked = ask(client, report="Koilocytes. No HSIL.", mode="text", as_written=True)
    assert asked["query"]["searched"] == "Koilocytes. No HSIL."


def test_a_picture_and_a_report_are_searched_together(client: TestClient) -> None:
    files = {"image": ("x", png(disc(3)))}
    alone = client.post("/v1/search/image", files=files).json()
    both = client.post(
        "/v1/search/image",
        files=files,
        data={"report": REPORT, "mode": "text", "liked": ["D-4", "E-5"], "diversity": "0"},
    ).json()
    assert both["query"]["report"] == REPORT
    assert both["query"]["mode"] == "text"
    assert both["cases"] != alone["cases"]


def test_variations_of_a_picture_are_marked_and_lie_nowhere_but_in_the_answer(
    generator: Prototyper,
    archive_dir: Path,
    make_retriever: Callable[[Path, Prototyper | None], Retriever],
    caplog: pytest.LogCaptureFixture,
) -> None:
    retriever = make_retriever(archive_dir, generator)
    with serving(create_app(lambda: retriever)) as client:
        warmed = set(retriever.cache.root.rglob("*"))
        answer = client.post(
            "/v1/search/image",
            files={"image": ("x", png(disc(3)))},
            data={"variations": "2", "seed": "5"},
        ).json()
        assert client.get("/v1/archive").json()["varies"]
        refused = client.post("/v1/search", json={"report": REPORT, "variations": 2})
    assert refused.status_code == 400
    assert set(retriever.cache.root.rglob("*")) == warmed
    assert [one["seed"] for one in answer["variations"]] == [5, 6]
    for one in answer["variations"]:
        with Image.open(io.BytesIO(base64.b64decode(one["png"]))) as picture:
            assert picture.info["synthetic"] == "true"
        assert one["png"] not in caplog.text
