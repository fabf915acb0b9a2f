"""``coin evaluate``, every command, on tiny real models."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from coin_retrieval.cli.main import app
from coin_retrieval.config import OpenClipEncoderSettings
from indexer import build

Coin = Callable[..., Any]


@pytest.fixture
def coin(tmp_path: Path, tiny_pipeline_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Coin:
    """Run ``coin``; gives its exit code and what it printed."""
    monkeypatch.setenv("COIN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COIN_GENERATOR", f"{tiny_pipeline_dir}?text_encoder=minilm")
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def archive(
    training: Path, tiny_open_clip_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    settings = OpenClipEncoderSettings(
        model=str(tiny_open_clip_dir), text_tower="minilm", device="cpu", dtype="float32"
    )
    root = tmp_path_factory.mktemp("judged") / "archive"
    build(root, training, encoder=settings, store="flat", batch_size=8, workers=1)
    return root


@pytest.fixture
def queries(tmp_path: Path) -> Path:
    path = tmp_path / "queries.csv"
    path.write_text(
        "report,finding\norange granules,eosinophil\nround dark nucleus,lymphocyte\n"
        "scant cytoplasm,lymphocyte\n"
    )
    return path


def picture(path: Path) -> np.ndarray:
    return np.asarray(Image.open(BytesIO(path.read_bytes())).convert("RGB"))


def test_retrieval_gives_every_figure_of_every_mode_and_keeps_it(
    coin: Coin, archive: Path, queries: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ran = coin(
        "evaluate", "retrieval", archive, "--queries", queries, "-k", 4, "--prototypes", 1,
        "--out", out, "--json",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    figures = json.loads(ran.stdout)
    assert figures == json.loads((out / "figures.json").read_text())
    assert [mode["mode"] for mode in figures["modes"]] == ["image", "text", "prototype", "fused"]
    assert [mode["queries"] for mode in figures["modes"]] == [24, 3, 3, 3]
    for mode in figures["modes"]:
        assert mode["interval"] == mode["intervals"]["precision"]
        for name, (low, high) in mode["intervals"].items():
            assert 0 <= low <= high <= 1
            assert mode[name] == pytest.approx(np.mean([c[name] for c in mode["classes"]]))
    pairs = [(pair["mode"], pair["baseline"]) for pair in figures["differences"]]
    assert pairs == [("fused", "prototype"), ("fused", "text"), ("prototype", "text")]
    by_mode = {mode["mode"]: mode for mode in figures["modes"]}
    for pair in figures["differences"]:
        expected = by_mode[pair["mode"]]["ndcg"] - by_mode[pair["baseline"]]["ndcg"]
        assert pair["figures"]["ndcg"]["mean"] == pytest.approx(expected)
    assert {path.name for path in out.iterdir()} == {
        "figures.json", "figures.md", "modes.png", "classes.png"
    }  # fmt: skip


def test_the_plots_show_the_figures(
    coin: Coin, archive: Path, queries: Path, tmp_path: Path
) -> None:
    for name, modes in (("one", "image"), ("two", "image,text")):
        ran = coin(
            "evaluate", "retrieval", archive, "--queries", queries, "-k", 4, "--modes", modes,
            "--out", tmp_path / name,
        )  # fmt: skip
        assert ran.exit_code == 0, ran.output
    blue, orange = np.array([0x00, 0x72, 0xB2]), np.array([0xE6, 0x9F, 0x00])

    def area(name: str, colour: np.ndarray) -> int:
        return int((picture(tmp_path / name / "modes.png") == colour).all(axis=2).sum())

    assert area("one", blue) > 1000
    assert area("one", orange) == 0
    assert area("two", orange) > 100
    assert picture(tmp_path / "two" / "classes.png").std() > 10


def test_the_tables_have_a_row_a_class_and_a_figure_and_a_column_a_mode(
    coin: Coin, archive: Path, queries: Path
) -> None:
    ran = coin("evaluate", "retrieval", archive, "--queries", queries, "--modes", "text,image")
    assert ran.exit_code == 0, ran.output
    classes, modes = (part.splitlines() for part in ran.stdout.strip().split("\n\n"))
    assert classes[0] == "| P@10 by finding | cases | text | image |"
    assert [line.split("|")[1].strip() for line in classes[2:]] == [
        "eosinophil", "lymphocyte", "**macro**"
    ]  # fmt: skip
    assert [line.split("|")[1].strip() for line in modes[2:]] == [
        "queries", "P@10", "mAP@10", "nDCG@10", "mMV@10", "ACC@1", "ACC@3", "ACC@5"
    ]  # fmt: skip


def test_an_unknown_mode_is_told_before_anything_loads(coin: Coin, tmp_path: Path) -> None:
    ran = coin("evaluate", "retrieval", tmp_path / "none", "--modes", "text,magic", "--json")
    assert ran.exit_code == 2
    assert json.loads(ran.stdout)["error"]["problem"] == "mode cannot be used"


@pytest.mark.parametrize(
    ("missing", "command"),
    [
        ("matplotlib.figure", ("retrieval", "nowhere", "--out", "out")),
        (
            "sklearn",
            ("classifier-agreement", "--generated", "x", "--training", "x", "--held-out", "x"),
        ),
    ],
)
def test_a_missing_extra_is_told_before_the_long_work(
    coin: Coin, monkeypatch: pytest.MonkeyPatch, missing: str, command: tuple[str, ...]
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    ran = coin("evaluate", *command, "--json")
    assert ran.exit_code == 2
    error = json.loads(ran.stdout)["error"]
    assert error["type"] == "MissingDependencyError"
    assert "coin-retrieval[evaluate]" in error["remedy"]


def test_images_are_compared_beside_their_anchor(
    coin: Coin, training: Path, held_out: Path, drawn: Path, space: str, tmp_path: Path
) -> None:
    ran = coin(
        "evaluate", "images", "--real", held_out, "--generated", drawn, "--reference", training,
        "--features", space, "--where", "split=val", "--reference-where", "split=train",
        "--sample", 12, "--out", tmp_path, "--json",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    figures = json.loads(ran.stdout)
    assert [(row["anchor"], row["count"]) for row in figures["rows"]] == [(False, 12), (True, 12)]
    assert figures["cmmd_name"] is None
    assert all(row["frechet"] > 0 and 0 <= row["coverage"] <= 1 for row in figures["rows"])
    table = (tmp_path / "images.md").read_text()
    assert table.splitlines()[2].startswith(f"| {training} (split=train) (real: the floor) | 12 |")


def test_a_set_against_itself_is_perfect(coin: Coin, training: Path, space: str) -> None:
    ran = coin(
        "evaluate", "images", "--real", training, "--generated", training, "--features", space,
        "--json",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    (row,) = json.loads(ran.stdout)["rows"]
    assert row["frechet"] == pytest.approx(0, abs=1e-3)
    assert (row["precision"], row["recall"], row["coverage"]) == (1, 1, 1)


def test_an_image_text_encoder_also_gives_cmmd(
    coin: Coin, held_out: Path, drawn: Path, tiny_open_clip_dir: Path
) -> None:
    clip = f"open_clip:{tiny_open_clip_dir}?text_tower=minilm&device=cpu"
    ran = coin("evaluate", "images", "--real", held_out, "--generated", drawn, "--features", clip)
    assert ran.exit_code == 0, ran.output
    assert "| CMMD-" in ran.stdout.splitlines()[0]


def test_drawn_pictures_given_as_real_are_refused(coin: Coin, drawn: Path, space: str) -> None:
    ran = coin(
        "evaluate", "images", "--real", drawn, "--generated", drawn, "--features", space, "--json"
    )
    assert ran.exit_code == 2
    assert "not real" in json.loads(ran.stdout)["error"]["problem"]


def test_memorisation_finds_a_copy_and_shows_it(
    coin: Coin, training: Path, held_out: Path, space: str, tmp_path: Path
) -> None:
    copied = tmp_path / "generated"
    copied.mkdir()
    (copied / "copy.png").write_bytes((training.parent / "eosinophil-003.png").read_bytes())
    (copied / "own.png").write_bytes((held_out.parent / "eosinophil-001.png").read_bytes())
    ran = coin(
        "evaluate", "memorisation", "--generated", copied, "--training", training, "--held-out",
        held_out, "--features", space, "--out", tmp_path / "out", "--json",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    figures = json.loads(ran.stdout)
    assert figures["share_below"] == 0.5
    assert figures["closest"][0]["training"].endswith("eosinophil-003.png")
    assert figures["closest"][0]["distance"] == 0
    sheet = picture(tmp_path / "out" / "closest_pairs.png")
    cell = picture(copied / "copy.png")[16, 16]
    # the copy's cell is there twice: as drawn, and as the training picture beside it
    row = (np.abs(sheet.astype(int) - cell).max(axis=2) < 12)[:, : sheet.shape[1] // 2]
    left, right = np.split(row, [320], axis=1)
    assert left.sum() > 1000
    assert right.sum() > 1000


def test_a_classifier_trained_on_real_pictures_names_drawn_ones(
    coin: Coin, training: Path, held_out: Path, drawn: Path, space: str, tmp_path: Path
) -> None:
    ran = coin(
        "evaluate", "classifier-agreement", "--generated", drawn, "--training", training,
        "--held-out", held_out, "--features", space, "--out", tmp_path, "--json",
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    figures = json.loads(ran.stdout)
    assert {
        c["label"]: (c["training"], c["held_out"], c["generated"]) for c in figures["classes"]
    } == {
        "eosinophil": (12, 8, 6),
        "lymphocyte": (12, 8, 6),
    }
    # red and blue cells are told apart by any features
    assert figures["held_out"]["mean"] > 0.9
    assert figures["ratio"]["mean"] > 0.9
    assert "**macro**" in (tmp_path / "classifier_agreement.md").read_text()


def test_training_and_held_out_pictures_of_one_case_are_refused(
    coin: Coin, training: Path, drawn: Path, space: str
) -> None:
    ran = coin(
        "evaluate", "classifier-agreement", "--generated", drawn, "--training", training,
        "--held-out", training, "--features", space, "--json",
    )  # fmt: skip
    assert ran.exit_code == 2
    assert "share cases" in json.loads(ran.stdout)["error"]["problem"]
