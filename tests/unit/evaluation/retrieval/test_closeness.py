from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.metrics import roc_auc_score
from typer.testing import CliRunner
from unit.conftest import write_cells

from coin_retrieval.archive.measured.calibration import CloseMatch, close_match_from
from coin_retrieval.cli.main import app
from coin_retrieval.config import OpenClipEncoderSettings
from coin_retrieval.errors import InputError
from coin_retrieval.evaluation.retrieval.closeness import (
    measure_close_match,
    to_markdown,
)
from coin_retrieval.factory import open_archive
from coin_retrieval.metrics.separation import auroc
from coin_retrieval.search.judging.closeness import judged
from coin_retrieval.types import SearchMode
from indexer import build

Coin = Callable[..., Any]

scores = st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5]), min_size=2, max_size=12)


@settings(max_examples=40)
@given(scores, scores)
def test_the_auroc_is_scikit_learns(inside: list[float], outside: list[float]) -> None:
    truth = [1] * len(inside) + [0] * len(outside)
    found = auroc(np.array(inside), np.array(outside), draws=50)
    assert found.mean == pytest.approx(roc_auc_score(truth, inside + outside))
    assert 0 <= found.low <= found.high <= 1


def test_rates_are_shares_below_the_threshold_and_never_certain() -> None:
    close = CloseMatch(threshold=0.5, false_alarm_rate=0.05, queries=20)
    inside, outside = ([judged(s, close) for s in of] for of in ([0.4, 0.6, 0.7, 0.8], [0.1, 0.2]))
    figures = measure_close_match(inside, outside, close, mode=SearchMode.TEXT, encoder="e")
    assert figures.false_alarm_rate is not None
    assert figures.detection_rate is not None
    assert figures.false_alarm_rate.mean == 0.25
    assert (figures.detection_rate.mean, figures.detection_rate.high) == (1, 1)
    assert figures.detection_rate.low < 0.5
    assert "| false alarms, stated | about 5.0% (0.9% to 23.6%) |" in to_markdown(figures)


def test_without_a_threshold_there_is_an_auroc_and_the_table_says_so() -> None:
    figures = measure_close_match(
        [judged(0.9, None)], [judged(0.1, None)], None, mode=SearchMode.TEXT, encoder="e"
    )
    assert figures.auroc.mean == 1
    assert (figures.stated, figures.detection_rate) == (None, None)
    assert "none for this mode" in to_markdown(figures)


def test_one_kind_of_queries_is_not_enough() -> None:
    with pytest.raises(InputError, match="outside"):
        measure_close_match([judged(0.9, None)], [], None, mode=SearchMode.TEXT, encoder="e")


@pytest.fixture
def coin(tmp_path: Path, tiny_pipeline_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Coin:
    monkeypatch.setenv("COIN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COIN_GENERATOR", f"{tiny_pipeline_dir}?text_encoder=minilm")
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def archive(tiny_open_clip_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    settings = OpenClipEncoderSettings(
        model=str(tiny_open_clip_dir), text_tower="minilm", device="cpu", dtype="float32"
    )
    folder = tmp_path_factory.mktemp("known")
    table, root = write_cells(folder / "cells", per_finding=15, seed=4), folder / "archive"
    build(root, table, encoder=settings, store="flat", batch_size=8, workers=1)
    return root


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    path = tmp_path / "queries.csv"
    path.write_text(
        "report,finding\norange granules,eosinophil\nround dark nucleus,lymphocyte\n"
        "perinuclear halos,LSIL\nbudding yeast,Candida\n"
    )
    return path


def test_reports_are_told_apart_by_the_labels_of_the_archive(
    coin: Coin, archive: Path, queries: Path, tmp_path: Path
) -> None:
    done = coin(
        "evaluate", "close-match", archive, "--queries", queries, "--mode", "text",
        "--out", tmp_path / "out", "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert (figures["inside"], figures["outside"], figures["mode"]) == (2, 2, "text")
    block = open_archive(archive).manifest.closeness
    assert block is not None
    assert block.threshold is not None
    assert figures["stated"]["threshold"] == block.threshold.threshold
    assert figures["stated"]["false_alarm_rate"] == block.threshold.false_alarm_rate
    assert figures["auroc"]["mean"] == 1
    assert figures["detection_rate"]["mean"] == 1
    assert json.loads((tmp_path / "out" / "close_match.json").read_text()) == figures
    assert Image.open(tmp_path / "out" / "close_match.png").width > 0


def test_pictures_are_judged_by_the_archives_own_neighbours(
    coin: Coin, archive: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    stripes = np.zeros((32, 32, 3), np.uint8)
    stripes[::4] = (0, 255, 0)
    Image.fromarray(stripes).save(other / "stripes.png")
    (other / "cases.csv").write_text("image_path,case_id,finding\nstripes.png,S,stripes\n")
    done = coin("evaluate", "close-match", archive, "--mode", "image", "--outside", other, "--json")
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    own = open_archive(archive).manifest.own_neighbours
    assert own is not None
    assert figures["stated"]["threshold"] == own.threshold
    assert figures["stated"]["false_alarm_rate"] == own.false_alarm_rate
    assert figures["detection_rate"]["mean"] == 1


def test_an_outside_query_that_the_archive_knows_is_refused(
    coin: Coin, archive: Path, queries: Path
) -> None:
    done = coin(
        "evaluate", "close-match", archive, "--queries", queries, "--outside", queries,
        "--mode", "text",
    )  # fmt: skip
    assert done.exit_code == 2
    assert "label of the archive" in done.output


def test_each_label_and_site_is_left_out_and_missed(
    coin: Coin, tmp_path: Path, tiny_open_clip_dir: Path
) -> None:
    folder, root = tmp_path / "cells", tmp_path / "sites"
    write_cells(folder, per_finding=6, seed=5)
    table = folder / "cases.csv"
    first, *rows = table.read_text().splitlines()
    sites = ["site"] + ["peripheral blood" if "eosinophil" in row else "cervix" for row in rows]
    rows = [row.replace("lymphocyte,train", "Candida,train") for row in rows]
    lines = [f"{row},{site}" for row, site in zip([first, *rows], sites, strict=True)]
    table.write_text("\n".join(lines) + "\n")
    settings = OpenClipEncoderSettings(
        model=str(tiny_open_clip_dir), text_tower="minilm", device="cpu", dtype="float32"
    )
    build(root, table, encoder=settings, store="flat", batch_size=8, workers=1)
    done = coin(
        "evaluate", "close-match", root, "--leave-one-label-out", "--out", tmp_path / "out",
        "--json",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert figures["inside"] == 18 + 17
    kinds = {row["kind"]: row for row in figures["all"]}
    assert kinds["label"]["queries"] == kinds["site"]["queries"] == 18 + 17
    assert min(row["auroc"]["mean"] for row in figures["all"]) > 0.9
    assert kinds["elsewhere"]["queries"] > 600, "what the archive never held counts as elsewhere"
    names = {(row["kind"], row["name"]) for row in figures["each"]}
    assert {("label", "Candida"), ("site", "cervix"), ("label, unheard of", "eosinophil")} <= names
    assert Image.open(tmp_path / "out" / "close_match.png").width > 0

    pictures = coin(
        "evaluate", "close-match", root, "--leave-one-label-out", "--mode", "image", "--json"
    )
    assert pictures.exit_code == 0, pictures.output
    found = json.loads(pictures.stdout)
    assert {row["kind"] for row in found["all"]} == {"label", "site"}
    assert found["asked"] == "pictures"


def test_a_threshold_of_reports_that_were_left_out_states_a_bound() -> None:
    found = close_match_from(range(1, 100), bound=True)
    assert found.false_alarm_words == "at most about 5.0% (2.1% to 11.2%)"
    assert close_match_from(range(1, 100)).false_alarm_words == "about 5.0% (2.1% to 11.2%)"
