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

from coin_retrieval.archive.calibration import CloseMatch
from coin_retrieval.cli.main import app
from coin_retrieval.config import FaissStoreSettings, OpenClipEncoderSettings
from coin_retrieval.errors import InputError
from coin_retrieval.evaluation.retrieval.closeness import auroc, measure_close_match, to_markdown
from coin_retrieval.factory import make_encoder, open_archive
from coin_retrieval.types import SearchMode
from indexer.building import BuildSettings, build
from indexer.rows import read_sources

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
    inside, outside = np.array([0.4, 0.6, 0.7, 0.8]), np.array([0.1, 0.2])
    figures = measure_close_match(inside, outside, close, mode=SearchMode.TEXT, encoder="e")
    assert figures.false_alarm_rate is not None
    assert figures.detection_rate is not None
    assert figures.false_alarm_rate.mean == 0.25
    assert (figures.detection_rate.mean, figures.detection_rate.high) == (1, 1)
    assert figures.detection_rate.low < 0.5
    assert "| false alarms, stated | 0.050 |" in to_markdown(figures)


def test_without_a_threshold_the_table_says_what_helps() -> None:
    figures = measure_close_match(
        np.array([0.9]), np.array([0.1]), None, mode=SearchMode.TEXT, encoder="e"
    )
    assert (figures.threshold, figures.detection_rate) == (None, None)
    assert "coin calibrate" in to_markdown(figures)


def test_one_kind_of_queries_is_not_enough() -> None:
    with pytest.raises(InputError, match="outside"):
        measure_close_match(np.array([0.9]), np.array([]), None, mode=SearchMode.TEXT, encoder="e")


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
    batch = read_sources([table], archive=root, where={})
    how = BuildSettings(settings, FaissStoreSettings(), batch_size=8, threads=1)
    build(root, batch, encoder=make_encoder(settings), settings=how, where={})
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
    assert figures["threshold"] is None
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
    assert figures["threshold"] == own.threshold
    assert figures["stated_false_alarm_rate"] == own.false_alarm_rate
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
