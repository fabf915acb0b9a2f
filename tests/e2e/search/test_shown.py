"""What ``coin search`` and ``coin generate`` show and write."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from e2e.asking import REPORT, answer, coin
from PIL import Image

from coin_retrieval.images.decoding import load_image


@pytest.mark.usefixtures("cache")
def test_the_table_tells_what_a_reader_must_know(archive: Path) -> None:
    shown = coin("search", archive, "--report", REPORT, "--prototypes", 1).stdout
    for part in ("closer than", "HSIL", "SYNTHETIC", "not a diagnosis", "total"):
        assert part in shown


@pytest.mark.usefixtures("cache")
def test_a_report_too_long_for_the_models_says_what_was_not_read(archive: Path) -> None:
    long = REPORT + " Cells in sheets and clusters." * 500 + " These are the last words."
    shown = coin("search", archive, "--report", long, "--prototypes", 1).stdout
    assert "Not read by any model" in shown
    assert "last words." in shown


@pytest.mark.usefixtures("cache")
def test_a_filter_that_nothing_fits_shows_what_there_is(archive: Path) -> None:
    shown = coin(
        "search", archive, "--report", REPORT, "--mode", "text", "--where", "site=thyroid"
    ).stdout
    assert "fits the filter" in shown
    assert "cervix (3)" in shown


@pytest.mark.usefixtures("cache")
def test_save_writes_the_sheet_the_answer_and_marked_prototypes(
    archive: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "saved"
    result = coin("search", archive, "--report", REPORT, "--prototypes", 2, "--save", folder)
    assert result.exit_code == 0, result.output
    saved = json.loads((folder / "answer.json").read_text())
    for prototype in saved["prototypes"]:
        with Image.open(folder / prototype["path"]) as image:
            assert image.info["synthetic"] == "true"
    with Image.open(folder / "sheet.png") as sheet:
        assert "synthetic" in sheet.info
    assert load_image(folder / "sheet.png").shape[1] == 1480


@pytest.mark.usefixtures("cache")
def test_an_archive_of_drawn_pictures_says_so_wherever_it_shows(
    demonstration: Path, tmp_path: Path
) -> None:
    arguments = ["search", demonstration, "--report", REPORT, "--mode", "text"]
    shown = coin(*arguments, "--save", tmp_path / "saved").stdout
    assert "demonstration: no patients" in shown
    assert "[generated]" in shown
    found = json.loads((tmp_path / "saved" / "answer.json").read_text())
    assert {i["origin"] for case in found["cases"] for i in case["images"]} == {"generated"}
    with Image.open(tmp_path / "saved" / "sheet.png") as sheet:
        assert sheet.info["demonstration"] == "demonstration: no patients"


@pytest.mark.usefixtures("cache")
def test_generate_puts_marked_pictures_where_asked(tmp_path: Path) -> None:
    found = answer("generate", "--report", REPORT, "-n", 2, "--seed", 9, "--out", tmp_path / "d")
    assert [p["seed"] for p in found["prototypes"]] == [9, 10]
    for prototype in found["prototypes"]:
        assert Path(prototype["path"]).parent == tmp_path / "d"
        with Image.open(prototype["path"]) as image:
            assert image.info["synthetic"] == "true"


def test_generate_and_search_share_their_pictures(archive: Path, cache: Path) -> None:
    drawn = answer("generate", "--report", REPORT, "-n", 1)
    found = answer("search", archive, "--report", REPORT, "--prototypes", 1)
    assert found["prototypes"] == drawn["prototypes"]
    assert len(list(cache.rglob("*.png"))) == 1
