"""``coin generate`` of sets, with a tiny real generator."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tiny_archives import write_table
from typer.testing import CliRunner

from coin_retrieval.cli.main import app
from coin_retrieval.errors import CaseTableError, InputError
from coin_retrieval.factory import make_drawer, parse_generator
from coin_retrieval.images.decoding import load_image
from coin_retrieval.prototypes.sets import IMAGES, draw_set
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.wordings.captions import load_lexicon
from coin_retrieval.wordings.report_table import read_report_table

Coin = Callable[..., Any]


@pytest.fixture
def coin(tmp_path: Path, tiny_pipeline_dir: Path, monkeypatch: pytest.MonkeyPatch) -> Coin:
    """Run ``coin``; gives its exit code and what it printed."""
    monkeypatch.setenv("COIN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("COIN_GENERATOR", f"{tiny_pipeline_dir}?text_encoder=minilm")
    return lambda *arguments: CliRunner().invoke(app, [str(a) for a in arguments])


@pytest.fixture
def reports(tmp_path: Path) -> Path:
    return write_table(
        tmp_path / "reports.csv",
        [
            {"report": "orange granules,\nbilobed", "finding": "eosinophil", "case_id": "c7"},
            {"report": "round dark nucleus", "finding": "lymphocyte", "site": "blood"},
        ],
    )


def rows_of(out: Path) -> list[dict[str, str]]:
    with (out / "cases.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_every_report_of_a_file_is_drawn_and_listed_as_generated(
    coin: Coin, reports: Path, tmp_path: Path
) -> None:
    out = tmp_path / "drawn"
    ran = coin("generate", "--reports", reports, "-n", 3, "--out", out, "--json")
    assert ran.exit_code == 0, ran.output
    said = json.loads(ran.stdout)
    assert (said["reports"], said["pictures"]) == (2, 6)
    assert said["by_finding"] == {"eosinophil": 3, "lymphocyte": 3}
    rows = rows_of(out)
    assert [row["seed"] for row in rows] == ["0", "1", "2", "64", "65", "66"]
    assert {row["origin"] for row in rows} == {"generated"}
    assert [row["case_id"] for row in rows[::3]] == ["drawn-00000", "drawn-00001"]
    assert (rows[0]["report"], rows[0]["like"]) == ("orange granules, bilobed", "c7")
    assert (rows[3]["site"], rows[3]["like"]) == ("blood", "")
    for row in rows:
        with Image.open(out / row["image_path"]) as picture:
            assert picture.info["synthetic"] == "true"


def test_a_set_is_resumed_and_more_pictures_keep_the_first(
    coin: Coin, reports: Path, tmp_path: Path
) -> None:
    out = tmp_path / "drawn"
    coin("generate", "--reports", reports, "-n", 2, "--out", out)
    first = {
        row["image_path"]: (out / row["image_path"]).stat().st_mtime_ns for row in rows_of(out)
    }
    (lost, _), *kept = first.items()
    (out / lost).unlink()
    ran = coin("generate", "--reports", reports, "-n", 3, "--out", out)
    assert ran.exit_code == 0, ran.output
    assert "6 drawn pictures of 2 reports" in ran.stdout
    assert first.keys() < {row["image_path"] for row in rows_of(out)}
    assert all((out / name).stat().st_mtime_ns == drawn for name, drawn in kept)
    assert (out / lost).is_file()


def test_composed_reports_name_every_finding_asked_for(coin: Coin, tmp_path: Path) -> None:
    out = tmp_path / "drawn"
    ran = coin(
        "generate", "--composed", 2, "--where", "site=peripheral blood", "--seed", 5, "--out", out
    )
    assert ran.exit_code == 0, ran.output
    words = load_lexicon().findings
    blood = sorted(name for name, finding in words.items() if finding.site == "peripheral blood")
    rows = rows_of(out)
    assert [row["finding"] for row in rows] == [name for name in blood for _ in range(2)]
    assert {row["specimen"] for row in rows} == {"blood smear"}
    assert len({row["report"] for row in rows}) > len(blood)
    coin("generate", "--composed", 2, "--where", "finding=monocyte", "--out", tmp_path / "other")
    assert len(rows_of(tmp_path / "other")) == 2


def test_a_set_like_a_manifest_has_its_labels_picture_by_picture(
    coin: Coin, tmp_path: Path
) -> None:
    findings = ["monocyte", "platelet", "monocyte", "platelet"]
    manifest = write_table(
        tmp_path / "cases.csv",
        [
            {
                "image_path": f"{i}.png",
                "case_id": f"real-{i}",
                "finding": finding,
                "granule_colour": "red",
                "split": "val" if i else "train",
            }
            for i, finding in enumerate(findings)
        ],
    )
    out = tmp_path / "drawn"
    ran = coin("generate", "--like", manifest, "--where", "split=val", "--out", out)
    assert ran.exit_code == 0, ran.output
    rows = rows_of(out)
    assert [(row["finding"], row["like"]) for row in rows] == [
        ("platelet", "real-1"),
        ("monocyte", "real-2"),
        ("platelet", "real-3"),
    ]


def test_an_error_half_way_leaves_a_manifest_of_what_was_drawn(
    tmp_path: Path, tiny_pipeline_dir: Path
) -> None:
    chosen = parse_generator(f"{tiny_pipeline_dir}?text_encoder=minilm")
    drawer = make_drawer(chosen, cache_dir=tmp_path / IMAGES)
    cases = [CaseRow(Path(), "", finding=str(i), report=f"cell {i}") for i in range(17)]
    with pytest.raises(InputError, match="seed out of range"):
        # the last report's seeds lie beyond the last one
        draw_set(drawer, cases, tmp_path, n=1, seed=2**63 - 16 * 64)
    assert [row["finding"] for row in rows_of(tmp_path)] == [str(i) for i in range(16)]


def test_reports_drawn_together_are_what_each_is_alone(
    tmp_path: Path, tiny_pipeline_dir: Path
) -> None:
    chosen = parse_generator(f"{tiny_pipeline_dir}?text_encoder=minilm")
    drawer = make_drawer(chosen, cache_dir=tmp_path / IMAGES)
    cases = [CaseRow(Path(), "", report=f"cell {i + 1}") for i in range(3)]
    draw_set(drawer, cases, tmp_path, n=2, seed=5)
    alone = make_drawer(chosen, cache_dir=tmp_path / "alone")
    rows = rows_of(tmp_path)
    for number, case in enumerate(cases):
        drawing = alone.draw(case.report, n=2, seed=5 + 64 * number)
        for row, prototype in zip(rows[2 * number :], drawing.prototypes, strict=False):
            together = load_image(tmp_path / row["image_path"]).astype(int)
            assert np.abs(together - load_image(prototype.path)).max() <= 2


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["--out", "x"], "InputError"),
        (["--composed", "1", "--report", "cells", "--out", "x"], "InputError"),
        (["--composed", "1"], "InputError"),
        (["--composed", "1", "--where", "site=moon", "--out", "x"], "InputError"),
        (["--report", "cells", "--where", "site=cervix"], "InputError"),
        (["--reports", "absent.csv", "--out", "x"], "CaseTableError"),
    ],
)
def test_what_cannot_be_a_set_is_told_before_anything_is_drawn(
    coin: Coin, arguments: list[str], kind: str
) -> None:
    ran = coin("generate", *arguments, "--json")
    assert ran.exit_code == 2
    assert json.loads(ran.stdout)["error"]["type"] == kind


def test_a_report_that_cannot_be_used_is_named_by_its_row(tmp_path: Path) -> None:
    table = write_table(tmp_path / "r.csv", [{"report": "fine cells"}, {"report": " "}])
    with pytest.raises(CaseTableError, match="row 3"):
        read_report_table(table)
