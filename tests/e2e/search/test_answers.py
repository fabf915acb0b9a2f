"""What ``coin search`` answers: its JSON, what was drawn, what was searched with."""

from __future__ import annotations

from pathlib import Path

import pytest
from e2e.asking import REPORT, answer, coin


@pytest.mark.usefixtures("cache")
def test_the_json_answer_has_the_promised_shape(archive: Path) -> None:
    found = answer(
        "search", archive, "--report", REPORT, "--prototypes", 2, "--seed", 3, "--all-sites"
    )
    assert found["query"]["report"] == REPORT
    assert (found["query"]["mode"], found["query"]["dropped_text"]) == ("fused", "")
    assert [p["seed"] for p in found["prototypes"]] == [3, 4]
    assert all(p["provenance"]["source"]["text"] == REPORT for p in found["prototypes"])
    assert {case["case_id"] for case in found["cases"]} == {"A", "B", "C", "D"}
    similarities = [case["similarity"] for case in found["cases"]]
    assert similarities == sorted(similarities, reverse=True)
    for case in found["cases"]:
        assert case["similarity"] == case["images"][0]["similarity"]
        assert case["diagnosis"] == case["images"][0]["diagnosis"]
        assert set(case["images"][0]) >= {"image_id", "uri", "finding", "origin"}
    assert set(found["timings_ms"]) == {
        "prompt",
        "generate",
        "encode",
        "search",
        "catalog",
        "total",
    }


@pytest.mark.usefixtures("cache")
def test_a_case_whose_images_differ_tells_all_its_diagnoses(archive: Path) -> None:
    found = answer("search", archive, "--report", REPORT, "--mode", "text")
    (mixed,) = [case for case in found["cases"] if case["case_id"] == "A"]
    assert set(mixed["diagnoses"]) == {"LSIL", "HSIL"}
    assert len(mixed["images"]) == 2


def test_the_same_report_and_seed_are_drawn_once(archive: Path, cache: Path) -> None:
    first = answer("search", archive, "--report", REPORT, "--prototypes", 2)
    files = {path: path.stat().st_mtime_ns for path in cache.rglob("*") if path.is_file()}
    second = answer("search", archive, "--report", REPORT, "--prototypes", 2)
    assert len(files) == 5  # two pictures, two embeddings, the key of their names
    assert {path: path.stat().st_mtime_ns for path in files} == files
    assert second["prototypes"] == first["prototypes"]
    assert second["cases"] == first["cases"]


def test_text_mode_draws_nothing(archive: Path, cache: Path) -> None:
    found = answer("search", archive, "--report", REPORT, "--mode", "text")
    assert found["prototypes"] == []
    assert not cache.exists()


@pytest.mark.usefixtures("cache")
def test_a_picture_of_the_archive_is_told_so_and_its_case_does_not_count(
    archive: Path, pictures: Path
) -> None:
    found = answer("search", archive, "--image", pictures / "3.png", "-k", 2)
    assert found["query"]["mode"] == "image"
    (own,) = found["own"]
    assert (own["case"]["case_id"], own["because"]) == ("C", "picture")
    assert own["case"]["similarity"] == pytest.approx(1, abs=1e-3)
    assert "C" not in {case["case_id"] for case in found["cases"]}
    assert len(found["cases"]) == 2


@pytest.mark.usefixtures("cache")
def test_marks_exclusions_and_diversity_are_taken_from_the_command_line(archive: Path) -> None:
    asked = ("search", archive, "--report", REPORT, "--mode", "text", "--all-sites")
    plain = answer(*asked)
    moved = answer(
        *asked, "--like", "D",
        "--unlike-case", "A", "--unlike", "pale squamous cells", "--diversity", 0.5,
        "--near-duplicates",
    )  # fmt: skip
    before, after = (
        {
            case["case_id"]: case["similarity"]
            for case in (*found["cases"], *(own["case"] for own in found["own"]))
        }
        for found in (plain, moved)
    )
    assert after["D"] - after["A"] > before["D"] - before["A"]
    assert moved["closeness"]["verdict"] == "not judged"


@pytest.mark.usefixtures("cache")
def test_liked_cases_alone_and_a_picture_with_a_report_are_searched_with(
    archive: Path, pictures: Path
) -> None:
    liked = answer("search", archive, "--like", "C")
    assert [own["case"]["case_id"] for own in liked["own"]] == ["C"]
    assert liked["cases"]
    both = answer(
        "search", archive, "--image", pictures / "3.png", "--report", REPORT, "--mode", "text"
    )
    assert (both["query"]["mode"], both["query"]["report"]) == ("text", REPORT)


@pytest.mark.usefixtures("cache")
def test_pictures_near_to_a_picture_are_drawn_and_searched_with(
    archive: Path, pictures: Path
) -> None:
    asked = ("--image", pictures / "3.png", "--variations", 2, "--seed", 5)
    assert [one["seed"] for one in answer("search", archive, *asked)["variations"]] == [5, 6]


@pytest.mark.usefixtures("cache")
def test_a_filter_limits_cases_and_images(archive: Path) -> None:
    found = answer(
        "search",
        archive,
        *("--report", REPORT, "--mode", "text"),
        *("--where", "site=Cervix", "--where", "diagnosis=HSIL", "--where", "diagnosis=NILM"),
    )
    assert {i["diagnosis"] for c in found["cases"] for i in c["images"]} == {"HSIL", "NILM"}


@pytest.mark.usefixtures("cache")
def test_the_site_of_the_report_is_searched_in_the_open(archive: Path) -> None:
    asked = ("search", archive, "--report", REPORT, "--mode", "text")
    told = "Searched: cervix, named in the report;"
    assert told in coin(*asked).stdout
    assert "--all-sites" in coin(*asked).stdout
    assert told not in coin(*asked, "--where", "site=urine").stdout
    assert {case["site"] for case in answer(*asked)["cases"]} == {"cervix"}
    assert {c["site"] for c in answer(*asked, "--all-sites")["cases"]} == {"cervix", "urine"}
