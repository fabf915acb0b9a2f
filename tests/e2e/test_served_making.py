"""``coin search --server`` with pictures that the server makes first."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from e2e.conftest import Makers, ServedFiles
from e2e.served import Server, coin_search
from PIL import Image
from unit.server.ground import disc, png

from coin_retrieval.presenting.replay import read_answer


def asked(*arguments: str, **variables: str) -> Any:
    done = coin_search(*arguments, "--json", "-k", "3", **variables)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def cases(answer: Any) -> list[tuple[str, float]]:
    return [(case["case_id"], case["similarity"]) for case in answer["cases"]]


@pytest.mark.parametrize("form", ["words", "table"])
def test_a_server_draws_a_layout_as_this_machine_would(
    form: str, making: Server, makers: Makers, served_files: ServedFiles, tmp_path: Path
) -> None:
    layout = "two crowded nuclei, one mitosis"
    if form == "table":
        (tmp_path / "nuclei.csv").write_text("x_px,y_px,type\n3,7,nucleus\n9,11,mitosis\n")
        layout = str(tmp_path / "nuclei.csv")
    there = asked("--server", making.address, "--layout", layout, "--seed", "3")
    here = asked(
        *(str(served_files.archive), "--layout", layout, "--seed", "3"),
        *("--layout-model", str(makers.layouts)),
        COIN_CACHE_DIR=str(served_files.cache),
    )
    assert cases(there) == cases(here) != []
    assert there["searched_with"]["measures"] == here["searched_with"]["measures"]
    assert there["searched_with"]["path"].startswith(making.address)


def test_a_picture_is_translated_by_the_server_and_what_it_made_is_saved(
    making: Server, tmp_path: Path
) -> None:
    (tmp_path / "cell.png").write_bytes(png(disc(3)))
    plain = ("--server", making.address, "--image", str(tmp_path / "cell.png"))
    translated = asked(*plain, "--translate", "server", "--save", str(tmp_path / "out"))
    assert translated["searched_with"]["how"] == "translated"
    assert cases(translated) != cases(asked(*plain))
    kept = tmp_path / "out" / "searched_with.png"
    assert translated["searched_with"]["path"] == kept.as_posix()
    with Image.open(kept) as picture:
        assert picture.info["synthetic"] == "true"
    saved = read_answer(tmp_path / "out" / "answer.json")
    assert saved.searched_with is not None
    assert saved.searched_with.png == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--layout", "one nucleus", "--layout-model", "joint"), "leave --layout-model out"),
        (("--image", "cell.png", "--translate", "gan"), "--translate server"),
        (("--translate", "server"), "--image FILE beside it"),
    ],
)
def test_what_the_server_has_of_its_own_is_not_given_to_it(
    arguments: tuple[str, ...], told: str
) -> None:
    done = coin_search("--server", "http://127.0.0.1:1", *arguments)
    assert done.returncode == 2
    assert told in done.stderr


def test_a_server_that_draws_no_layouts_says_so(server: Server, tmp_path: Path) -> None:
    (tmp_path / "nuclei.csv").write_text("x_px,y_px\n5,7\n")
    for layout in ("one nucleus", str(tmp_path / "nuclei.csv")):
        done = coin_search("--server", server.address, "--layout", layout)
        assert done.returncode == 2, done.stdout
        assert "--layout-model" in done.stderr


def test_a_made_picture_that_cannot_be_kept_is_told(making: Server, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    done = coin_search(
        *("--server", making.address, "--layout", "one nucleus"),
        *("--save", str(tmp_path / "taken")),
    )
    assert done.returncode == 2
    assert "cannot be saved" in done.stderr
