"""What ``coin generate`` draws as a set, every command that judges pictures takes as it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tiny_archives import write_table
from typer.testing import CliRunner

from coin_retrieval.cli.main import app


def coin(*arguments: object) -> Any:
    """Run ``coin … --json``; gives its answer."""
    ran = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert ran.exit_code == 0, ran.output
    return json.loads(ran.stdout)


@pytest.fixture(scope="module")
def folder(tiny_pipeline_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight drawn pictures of two reports."""
    where = tmp_path_factory.mktemp("set")
    reports = write_table(
        where / "reports.csv",
        [
            {"report": "orange granules", "finding": "eosinophil"},
            {"report": "round dark nucleus", "finding": "lymphocyte"},
        ],
    )
    coin(
        "generate", "--reports", reports, "-n", 4, "--out", where / "drawn",
        "--generator", f"{tiny_pipeline_dir}?text_encoder=minilm",
    )  # fmt: skip
    return where / "drawn"


def test_distances_are_measured_to_a_drawn_set(folder: Path, held_out: Path, space: str) -> None:
    said = coin(
        "evaluate", "images", "--real", held_out, "--generated", folder,
        "--generated-where", "origin=generated", "--features", space,
    )  # fmt: skip
    (row,) = said["rows"]
    assert row["count"] == 8
    assert row["frechet"] > 0


def test_copies_are_looked_for_in_a_drawn_set(
    folder: Path, training: Path, held_out: Path, space: str
) -> None:
    said = coin(
        "evaluate", "memorisation", "--generated", folder, "--training", training,
        "--held-out", held_out, "--features", space, "--size-px", 32,
    )  # fmt: skip
    assert 0 <= said["share_below"] <= 1
    assert Path(said["closest"][0]["generated"]).is_relative_to(folder)


def test_a_classifier_names_a_drawn_set(
    folder: Path, training: Path, held_out: Path, space: str
) -> None:
    said = coin(
        "evaluate", "classifier-agreement", "--generated", folder, "--training", training,
        "--held-out", held_out, "--features", space,
    )  # fmt: skip
    assert [(c["label"], c["generated"]) for c in said["classes"]] == [
        ("eosinophil", 4),
        ("lymphocyte", 4),
    ]


def test_a_drawn_set_is_trained_on(
    folder: Path, training: Path, held_out: Path, space: str
) -> None:
    said = coin(
        "evaluate", "augmentation", "--real", training, "--test", held_out, "--generated", folder,
        "--shots", 2, "--seeds", 1, "--features", space,
    )  # fmt: skip
    assert [one["generated"] for one in said["regimes"]] == [0, 8, 0, 8, 8]


def test_a_drawn_set_is_never_taken_for_real(folder: Path, held_out: Path, space: str) -> None:
    arguments = [
        "evaluate", "images", "--real", str(folder), "--generated", str(held_out),
        "--features", space,
    ]  # fmt: skip
    assert CliRunner().invoke(app, arguments).exit_code == 2
