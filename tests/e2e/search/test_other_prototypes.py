"""Prototypes drawn of a layout, and translated from a picture, searched with."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from coin_retrieval.cli.main import app
from coin_retrieval.testing import tiny_models


def test_a_layout_is_drawn_and_searched_with(archive: Path, tmp_path: Path) -> None:
    model = tiny_models.write_joint_dir(tmp_path / "joint")
    arguments = ["--layout", "three crowded nuclei, a mitosis", "--layout-model", str(model)]
    result = CliRunner().invoke(
        app, ["search", str(archive), *arguments, "--save", str(tmp_path / "saved"), "--json"]
    )
    answer = json.loads(result.stdout)
    assert answer["query"]["mode"] == "image"
    told = " ".join(sentence["text"] for sentence in answer["summary"])
    assert "SYNTHETIC" in told
    assert "(4 asked)" in told
    made = answer["searched_with"]
    assert made["measures"]["asked"] == 4
    assert Path(made["path"]) == tmp_path / "saved" / "searched_with.png"
    with Image.open(made["path"]) as kept:
        assert kept.info["synthetic"] == "true"


def test_people_are_told_that_the_picture_is_synthetic(archive: Path, tmp_path: Path) -> None:
    model = tiny_models.write_joint_dir(tmp_path / "joint")
    arguments = ["--layout", "three nuclei", "--layout-model", str(model)]
    result = CliRunner().invoke(app, ["search", str(archive), *arguments])
    assert "Searched with a SYNTHETIC picture" in result.stdout.replace("\n", " ")


def test_a_picture_is_translated_and_searched_with(
    archive: Path, pictures: Path, tmp_path: Path
) -> None:
    model = tiny_models.write_cyclegan_dir(tmp_path / "gan")
    asked = ["search", str(archive), "--image", str(pictures / "1.png"), "--json"]
    plain, translated = (
        json.loads(CliRunner().invoke(app, [*asked, *more]).stdout)
        for more in ([], ["--translate", str(model)])
    )
    first, other = (answer["cases"][0]["similarity"] for answer in (plain, translated))
    assert first > 0.99
    assert other < first - 0.001


@pytest.mark.parametrize(
    "arguments",
    [
        ["--layout", "three nuclei"],
        ["--layout-model", "x"],
        ["--translate", "x", "--report", "nuclei"],
        ["--layout", "three nuclei", "--layout-model", "x", "--image", "y.png"],
    ],
)
def test_what_cannot_be_drawn_or_translated_is_told(archive: Path, arguments: list[str]) -> None:
    result = CliRunner().invoke(app, ["search", str(archive), *arguments, "--json"])
    assert result.exit_code == 2
    assert json.loads(result.stdout)["error"]["type"] == "InputError"
