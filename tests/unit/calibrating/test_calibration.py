"""Build → calibrate → search, and the ablation, on tiny real models."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tiny_archives import write_table
from typer.testing import CliRunner

from coin_retrieval.archive import ArchiveLayout
from coin_retrieval.archive.manifest import read_manifest
from coin_retrieval.cli.main import app
from coin_retrieval.config import OpenClipEncoderSettings
from indexer import build
from indexer.cli import app as index_app

Coin = Callable[..., Any]
WORDINGS = {
    "eosinophil": ("orange granules", "bilobed nucleus", "coarse red granules", "eosinophil"),
    "lymphocyte": ("round dark nucleus", "scant cytoplasm", "dense chromatin", "lymphocyte"),
}


@pytest.fixture
def coin(tmp_path: Path, tiny_pipeline_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Coin:
    """Run ``coin``; gives its exit code and what it printed."""
    monkeypatch.setenv("COIN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COIN_GENERATOR", f"{tiny_pipeline_dir}?text_encoder=minilm")
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def built(
    training: Path, tiny_open_clip_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    settings = OpenClipEncoderSettings(
        model=str(tiny_open_clip_dir), text_tower="minilm", device="cpu", dtype="float32"
    )
    root = tmp_path_factory.mktemp("built") / "archive"
    build(root, training, encoder=settings, store="flat", batch_size=8, workers=1)
    return root


@pytest.fixture
def archive(built: Path, tmp_path: Path) -> Path:
    """An archive that nobody has calibrated yet."""
    return Path(shutil.copytree(built, tmp_path / "archive"))


SETTINGS = ("", "Blood film: ", "MGG. ", "peripheral blood, ", "differential: ")


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    rows = [
        {"report": setting + report, "finding": finding}
        for finding, reports in WORDINGS.items()
        for report in reports
        for setting in SETTINGS
    ]
    return write_table(tmp_path / "queries.csv", rows)


def test_few_reports_change_nothing_but_the_threshold_of_closeness(
    coin: Coin, archive: Path, tmp_path: Path
) -> None:
    rows = [
        {"report": report, "finding": finding}
        for finding, reports in WORDINGS.items()
        for report in reports
    ]
    few = write_table(tmp_path / "few.csv", rows)
    ran = coin("calibrate", archive, "--queries", few, "--folds", 2, "--prototypes", 1)
    assert ran.exit_code == 0, ran.output
    assert "at least 40, and 4 of each class, are needed" in ran.output
    kept = manifest(archive).calibration
    assert kept.mode == "fused"
    assert kept.fusion.method == "mean"
    assert kept.close_match.queries == 8 + 48, "too few reports join those of the build"


def test_nothing_is_kept_that_measures_worse_than_something_else(
    coin: Coin, archive: Path, queries: Path
) -> None:
    ran = coin("calibrate", archive, "--queries", queries, "--prototypes", 1, "--json")
    choices = json.loads(ran.stdout)["choices"]
    assert choices[0]["name"] == "calibrated"
    assert choices[0]["precision"]["mean"] == max(c["precision"]["mean"] for c in choices)


def manifest(archive: Path) -> Any:
    return read_manifest(ArchiveLayout(archive).published() / "manifest.json")


def test_what_is_calibrated_is_what_searches_use_and_info_shows(
    coin: Coin, archive: Path, queries: Path
) -> None:
    ran = coin(
        "calibrate", archive, "--queries", queries, "--folds", 4, "--prototypes", 2, "--json"
    )
    assert ran.exit_code == 0, ran.output
    answer = json.loads(ran.stdout)
    kept = manifest(archive).calibration
    assert answer["written"] is True
    assert answer["calibration"]["mode"] == kept.mode.value
    assert [c["name"] for c in answer["choices"]] == [
        "calibrated", "fused", "prototype", "text", "uncalibrated"
    ]  # fmt: skip
    assert kept.figures == {c["name"]: c["precision"]["mean"] for c in answer["choices"]}
    assert kept.close_match is not None
    assert kept.close_match.queries == 40
    assert kept.queries == 40
    assert kept.images == 24

    found = coin("search", archive, "--report", "orange granules", "--json")
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["query"]["mode"] == kept.mode.value

    info = CliRunner().invoke(index_app, ["info", str(archive)])
    assert info.exit_code == 0, info.output
    assert f"mode {kept.mode.value}" in info.output
    shown = json.loads(CliRunner().invoke(index_app, ["info", str(archive), "--json"]).stdout)
    assert shown["manifest"]["calibration"]["queries"] == 40
    assert "means" not in shown["manifest"]["calibration"]["fusion"]


def test_differences_are_of_the_calibrated_choice_over_each_other(
    coin: Coin, archive: Path, queries: Path
) -> None:
    ran = coin(
        "calibrate", archive, "--queries", queries, "--folds", 4, "--prototypes", 1, "--json"
    )
    choices = {c["name"]: c for c in json.loads(ran.stdout)["choices"]}
    best = choices.pop("calibrated")
    assert best["difference"] is None
    for choice in choices.values():
        lead = best["precision"]["mean"] - choice["precision"]["mean"]
        assert choice["difference"]["mean"] == pytest.approx(lead)
        assert choice["difference"]["low"] <= lead + 1e-9
        assert choice["difference"]["high"] >= lead - 1e-9


def test_a_second_calibration_is_the_same_whatever_the_first_one_chose(
    coin: Coin, archive: Path, queries: Path
) -> None:
    first = coin("calibrate", archive, "--queries", queries, "--prototypes", 2, "--json")
    second = coin("calibrate", archive, "--queries", queries, "--prototypes", 2, "--json")
    once, again = json.loads(first.stdout), json.loads(second.stdout)
    assert once["choices"] == again["choices"]
    assert once["close_match"] == again["close_match"]


def test_a_dry_run_leaves_the_archive_as_it_is(coin: Coin, archive: Path, queries: Path) -> None:
    before = manifest(archive)
    ran = coin("calibrate", archive, "--queries", queries, "--prototypes", 1, "--dry-run")
    assert ran.exit_code == 0, ran.output
    assert "nothing was written" in ran.output
    assert "cross-validated: 40 queries of 2 classes, 5 folds" in ran.output
    assert manifest(archive) == before


def test_a_calibrated_archive_searched_with_another_generator_warns(
    coin: Coin, archive: Path, queries: Path, tiny_pipeline_dir: Path
) -> None:
    coin("calibrate", archive, "--queries", queries, "--prototypes", 1)
    other = f"{tiny_pipeline_dir}?text_encoder=minilm&steps=3"
    ran = coin("search", archive, "--report", "orange granules", "--generator", other)
    assert ran.exit_code == 0, ran.output
    assert "another generator" in ran.output
    assert "should be calibrated again" in ran.output


def test_an_archive_that_reads_no_text_is_calibrated_on_its_prototypes(
    coin: Coin, training: Path, space: str, queries: Path, tmp_path: Path
) -> None:
    root = tmp_path / "vision"
    built = CliRunner().invoke(index_app, ["build", str(root), str(training), "--encoder", space])
    assert built.exit_code == 0, built.output
    ran = coin("calibrate", root, "--queries", queries, "--folds", 2, "--prototypes", 2, "--json")
    assert ran.exit_code == 0, ran.output
    answer = json.loads(ran.stdout)
    assert [c["name"] for c in answer["choices"]] == ["calibrated", "prototype", "uncalibrated"]
    assert answer["close_match"]["queries"] == 40
    found = coin("search", root, "--report", "orange granules", "--json")
    assert json.loads(found.stdout)["query"]["mode"] == "prototype"


def test_more_folds_than_queries_are_refused_before_anything_is_drawn(
    coin: Coin, archive: Path, queries: Path, tmp_path: Path
) -> None:
    ran = coin(
        "calibrate", archive, "--queries", queries, "--folds", 50, "--prototypes", 1, "--json"
    )
    assert ran.exit_code == 2
    assert "fewer --folds" in json.loads(ran.stdout)["error"]["remedy"]
    assert not list((tmp_path / "cache").rglob("*.png"))
    assert manifest(archive).calibration is None


def test_an_ablation_has_a_row_a_variant_each_beside_its_default(
    coin: Coin, archive: Path, queries: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ran = coin(
        "evaluate", "ablation", archive, "--queries", queries, "-k", 4, "--prototypes", 4,
        "--out", out, "--json",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    figures = json.loads(ran.stdout)
    assert figures == json.loads((out / "ablation.json").read_text())
    steps: dict[str, list[dict[str, Any]]] = {}
    for row in figures["rows"]:
        steps.setdefault(row["step"], []).append(row)
    assert [row["variant"] for row in steps["prototypes"]] == ["1", "2", "4"]
    assert [row["variant"] for row in steps["text weight"]] == [f"{n / 10:g}" for n in range(11)]
    for rows in steps.values():
        (default,) = (row for row in rows if row["is_default"])
        for row in rows:
            if row is not default:
                lead = row["precision"]["mean"] - default["precision"]["mean"]
                assert row["difference"]["mean"] == pytest.approx(lead)
    whole = {row["variant"]: row["precision"]["mean"] for row in steps["text weight"]}
    text = next(r for r in steps["corrections (text)"] if r["is_default"])
    assert whole["1"] == text["precision"]["mean"], "all weight on the text is the text"
    table = (out / "ablation.md").read_text().splitlines()
    assert len(table) == 2 + len(figures["rows"])
    assert np.all([line.count("|") == 5 for line in table])
