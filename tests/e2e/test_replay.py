"""``coin search --explain`` and ``--replay``."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tiny_archives import write_picture, write_pictures, write_table
from typer.testing import CliRunner

from coin_retrieval.archive.amend import put_calibration
from coin_retrieval.archive.measured.calibration import Calibration
from coin_retrieval.cli.main import app
from coin_retrieval.config import FusionSettings, OpenClipEncoderSettings
from coin_retrieval.factory import open_archive
from coin_retrieval.types import SearchMode
from indexer import build

REPORT = "(Cervix) Koilocytes with perinuclear halos. LSIL."
Coin = Callable[..., Any]


@pytest.fixture
def generator(tiny_pipeline_dir: Path) -> str:
    return f"{tiny_pipeline_dir}?text_encoder=minilm&device=cpu&dtype=float32"


@pytest.fixture
def archive(tiny_open_clip_dir: Path, tmp_path: Path) -> Path:
    pictures = write_pictures(tmp_path / "cells", 6)
    rows = [
        {
            "image_path": f"cell_{number:03d}.png",
            "case_id": f"C{number}",
            "finding": ("koilocyte", "eosinophil")[number % 2],
        }
        for number in range(6)
    ]
    return built(
        tmp_path / "archive", write_table(pictures / "cases.csv", rows), tiny_open_clip_dir
    )


def built(root: Path, table: Path, encoder_dir: Path) -> Path:
    settings = OpenClipEncoderSettings(
        model=str(encoder_dir), text_tower="minilm", device="cpu", dtype="float32"
    )
    build(root, table, encoder=settings, store="flat", batch_size=8, workers=1)
    return root


@pytest.fixture
def coin(tmp_path: Path, generator: str, monkeypatch: pytest.MonkeyPatch) -> Coin:
    monkeypatch.setenv("COIN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COIN_GENERATOR", generator)

    def run(*arguments: object, code: int = 0) -> Any:
        ran = CliRunner().invoke(app, [*map(str, arguments), "--json"])
        assert ran.exit_code == code, ran.output
        return json.loads(ran.stdout)

    return run


@pytest.fixture
def kept(coin: Coin, archive: Path, tmp_path: Path) -> Path:
    """The answer of a search, kept."""
    asked = ["--report", REPORT, "--prototypes", 2, "-k", 4, "--like", "C2", "--diversity", 0.2]
    coin("search", archive, *asked, "--save", tmp_path / "saved")
    return tmp_path / "saved" / "answer.json"


def changes(coin: Coin, *arguments: object) -> str:
    error = coin(*arguments, code=2)["error"]
    assert error["type"] == "ReplayError"
    return "; ".join(error["value"])


def test_a_replay_twice_finds_the_same_cases_in_the_same_order(
    coin: Coin, archive: Path, kept: Path
) -> None:
    before = json.loads(kept.read_text())
    first, second = (coin("search", archive, "--replay", kept) for _ in range(2))
    order = [case["case_id"] for case in before["cases"]]
    assert [case["case_id"] for case in first["cases"]] == order
    assert first["plan"] == second["plan"] == before["plan"]
    assert first["cases"] == second["cases"]


def test_a_changed_archive_is_named(
    coin: Coin, archive: Path, kept: Path, tiny_open_clip_dir: Path
) -> None:
    write_picture(archive.parent / "cells" / "new.png", seed=99)
    table = archive.parent / "cells" / "cases.csv"
    table.write_text(table.read_text() + "new.png,C9,koilocyte\n")
    built(archive, table, tiny_open_clip_dir)
    told = changes(coin, "search", archive, "--replay", kept)
    assert "the archive's version: 000001 then, 000002 now" in told
    assert "the archive's files" in told


def test_another_archive_is_named(
    coin: Coin, kept: Path, tmp_path: Path, tiny_open_clip_dir: Path
) -> None:
    pictures = write_pictures(tmp_path / "others", 3, first_seed=50)
    other = built(tmp_path / "other", pictures, tiny_open_clip_dir)
    assert "the archive's files" in changes(coin, "search", other, "--replay", kept)


def test_another_generator_is_named(
    coin: Coin, archive: Path, kept: Path, generator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COIN_GENERATOR", f"{generator}&steps=3")
    told = changes(coin, "search", archive, "--replay", kept)
    assert "the generator or its weights" in told
    assert "the prototypes" in told


def test_a_prototype_that_is_gone_is_named_and_not_drawn_again(
    coin: Coin, archive: Path, kept: Path, tmp_path: Path
) -> None:
    gone = json.loads(kept.read_text())["prototypes"][1]["id"]
    (file,) = (tmp_path / "cache").rglob(f"{gone}.png")
    file.unlink()
    told = changes(coin, "search", archive, "--replay", kept)
    assert "a prototype is gone: seed 1" in told
    assert not file.exists()


def test_another_calibration_is_named(coin: Coin, archive: Path, kept: Path) -> None:
    calibrate(archive, drawn_by="")
    told = changes(coin, "search", archive, "--replay", kept)
    assert "mode: fused then, text now" in told
    assert "weights and corrections" in told


def test_a_search_by_picture_is_replayed_with_the_same_picture_only(
    coin: Coin, archive: Path, tmp_path: Path
) -> None:
    cell, other = (tmp_path / "cells" / f"cell_00{n}.png" for n in (0, 1))
    coin("search", archive, "--image", cell, "--save", tmp_path / "saved")
    answer = tmp_path / "saved" / "answer.json"
    coin("search", archive, "--replay", answer, "--image", cell)
    assert "the picture" in changes(coin, "search", archive, "--replay", answer, "--image", other)


@pytest.mark.parametrize("content", ["{}", "no JSON", '{"query": {}}'])
def test_what_is_no_answer_cannot_be_replayed(
    coin: Coin, archive: Path, tmp_path: Path, content: str
) -> None:
    file = tmp_path / "answer.json"
    file.write_text(content)
    error = coin("search", archive, "--replay", file, code=2)["error"]
    assert "cannot be replayed" in error["problem"]


@pytest.mark.parametrize(
    ("option", "value"), [("--report", REPORT), ("-k", 3), ("--seed", 0), ("--like", "C1")]
)
def test_a_replay_with_another_question_is_refused(
    coin: Coin, archive: Path, kept: Path, option: str, value: object
) -> None:
    error = coin("search", archive, "--replay", kept, option, value, code=2)["error"]
    assert "asks what was asked before" in error["problem"]
    assert option.strip("-") in error["value"]


def test_an_explanation_names_every_part_and_its_rank(
    coin: Coin, archive: Path, generator: str, tmp_path: Path
) -> None:
    found = coin("search", archive, "--report", REPORT, "--prototypes", 2, "--explain")
    for case in found["cases"]:
        image = case["images"][0]
        assert [part["kind"] for part in image["parts"]] == ["text", "prototype", "prototype"]
        assert sum(part["share"] for part in image["parts"]) == pytest.approx(
            image["score"], abs=1e-5
        )
        assert all(1 <= part["rank"] <= 6 for part in image["parts"])
    shown = CliRunner().invoke(
        app, ["search", str(archive), "--report", REPORT, "--prototypes", "2", "--explain"]
    )
    assert "prototype of seed 1 (cosine" in shown.stdout


def calibrate(archive: Path, *, drawn_by: str) -> None:
    calibration = Calibration(
        created_at=datetime.now(UTC),
        queries=40,
        by="finding",
        mode=SearchMode.TEXT,
        fusion=FusionSettings(text_weight=0.3),
        prototypes=2,
        figures={},
        generator=drawn_by,
        generator_name="the one of the calibration",
        images=6,
    )
    with open_archive(archive) as opened:
        put_calibration(archive, calibration, encoder=opened.manifest.encoder)
