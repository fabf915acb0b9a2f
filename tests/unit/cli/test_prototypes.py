"""``coin prototypes``: a search by a warmed term draws nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_archives import write_pictures
from typer.testing import CliRunner

from coin_retrieval.cli.main import app
from coin_retrieval.config import OpenClipEncoderSettings
from coin_retrieval.generation.diffusers import DiffusersGenerator
from coin_retrieval.types import Provenance, RgbImage
from indexer import build

Coin = Callable[..., Any]
Drawn = list[tuple[str, int]]


@pytest.fixture(scope="module")
def archive(tiny_open_clip_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("warm")
    settings = OpenClipEncoderSettings(
        model=str(tiny_open_clip_dir), text_tower="minilm", device="cpu", dtype="float32"
    )
    root = folder / "archive"
    build(root, write_pictures(folder / "cells", 6), encoder=settings, store="flat")
    return root


@pytest.fixture
def terms(tmp_path: Path) -> Path:
    path = tmp_path / "terms.yaml"
    path.write_text(
        yaml.safe_dump(
            {
                "system": "Cells",
                "edition": "1",
                "source": "Terms of a test, written for it.",
                "terms": [
                    {"code": "lsil", "name": "Low-grade lesion", "synonyms": ["LSIL"]},
                    {"code": "hsil", "name": "High-grade lesion"},
                ],
            }
        )
    )
    return path


@pytest.fixture
def coin(tmp_path: Path, tiny_pipeline_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Coin:
    """Run ``coin … --json``; gives its answer."""
    monkeypatch.setenv("COIN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COIN_GENERATOR", f"{tiny_pipeline_dir}?text_encoder=minilm")

    def run(*arguments: object) -> Any:
        ran = CliRunner().invoke(app, [*map(str, arguments), "--json"])
        assert ran.exit_code == 0, ran.output
        return json.loads(ran.stdout)

    return run


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Drawn:
    """What the real generator draws, as it draws it."""
    seen: Drawn = []
    draw = DiffusersGenerator._draw

    def watched(
        self: DiffusersGenerator, plans: list[Provenance], on_step: Callable[[int], None]
    ) -> list[RgbImage]:
        seen.extend((plan.source.text, plan.seed) for plan in plans)
        return draw(self, plans, on_step)

    monkeypatch.setattr(DiffusersGenerator, "_draw", watched)
    return seen


def test_a_search_by_a_warmed_term_draws_nothing(
    coin: Coin, archive: Path, terms: Path, drawn: Drawn, tmp_path: Path
) -> None:
    said = coin("prototypes", "warm", archive, "--terms", terms)
    assert (said["wordings"], said["ready"], said["drawn"], said["failed"]) == (3, 12, 12, 0)
    assert drawn == [
        (term, seed)
        for term in ("Low-grade lesion", "LSIL", "High-grade lesion")
        for seed in range(4)
    ]
    embedded = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    assert len(embedded) == 12
    drawn.clear()
    for mode in ("prototype", "fused"):
        for term in ("Low-grade lesion", "LSIL", "High-grade lesion"):
            found = coin("search", archive, "--report", term, "--mode", mode)
            assert len(found["prototypes"]) == 4
    assert not drawn
    # nor is anything embedded again
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")} == embedded
    coin("search", archive, "--report", "another report", "--mode", "prototype")
    assert len(drawn) == 4


def test_what_is_there_is_not_drawn_again(
    coin: Coin, archive: Path, terms: Path, drawn: Drawn
) -> None:
    coin("search", archive, "--report", "LSIL", "--mode", "prototype", "--prototypes", 1)
    drawn.clear()
    said = coin("prototypes", "warm", archive, "--terms", terms, "-n", 2)
    assert (said["ready"], said["drawn"]) == (6, 5)
    assert ("LSIL", 0) not in drawn
    assert coin("prototypes", "warm", archive, "--terms", terms, "-n", 2)["drawn"] == 0


def test_a_term_that_comes_out_blank_is_told_and_the_others_are_drawn(
    coin: Coin, archive: Path, terms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw = DiffusersGenerator._draw

    def blank(
        self: DiffusersGenerator, plans: list[Provenance], on_step: Callable[[int], None]
    ) -> list[RgbImage]:
        kept = plans[0].source.text != "LSIL"
        return [image * kept for image in draw(self, plans, on_step)]

    monkeypatch.setattr(DiffusersGenerator, "_draw", blank)
    said = coin("prototypes", "warm", archive, "--terms", terms, "-n", 1)
    assert (said["ready"], said["failed"]) == (2, 1)
    assert "blank" in said["terms"][1]["failed"]


def test_what_is_kept_is_counted_without_its_reports_and_cleared(
    coin: Coin, archive: Path, terms: Path, tmp_path: Path
) -> None:
    coin("prototypes", "warm", archive, "--terms", terms, "-n", 2)
    kept = coin("prototypes", "list")
    (row,) = kept["kept"]
    assert (row["pictures"], row["reports"]) == (6, 3)
    assert row["generator"].startswith("tiny (")
    assert kept["bytes"] > 1000
    assert "LSIL" not in json.dumps(kept)
    assert coin("prototypes", "clear", "--yes")["deleted"] == 6
    left = {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    assert left == {"key"}
    assert coin("prototypes", "list")["kept"] == []


def test_clearing_asks_first(coin: Coin, archive: Path, terms: Path) -> None:
    coin("prototypes", "warm", archive, "--terms", terms, "-n", 1)
    assert CliRunner().invoke(app, ["prototypes", "clear"], input="n\n").exit_code == 1
    assert coin("prototypes", "list")["kept"][0]["pictures"] == 3


def test_unknown_terms_are_told_before_anything_loads(tmp_path: Path) -> None:
    ran = CliRunner().invoke(
        app, ["prototypes", "warm", str(tmp_path / "none"), "--terms", "moon", "--json"]
    )
    assert ran.exit_code == 2
    assert json.loads(ran.stdout)["error"]["problem"] == "there are no such terms"
