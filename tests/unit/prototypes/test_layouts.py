from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from coin_retrieval.errors import InputError
from coin_retrieval.prototypes.layouts import (
    layout_of_points,
    layout_of_table,
    layout_of_words,
    sampled_points,
)

KINDS = ("nucleus", "mitosis", "lymphocyte")


@pytest.mark.parametrize(
    ("words", "kinds", "prompt"),
    [
        (
            "twelve crowded large nuclei, two mitoses",
            {"nucleus": 12, "mitosis": 2},
            "crowded nuclei, large nuclei, mitosis",
        ),
        ("3 cells and a lymphocyte", {"nucleus": 3, "lymphocyte": 1}, "lymphocyte"),
        ("Five scattered lymphocytes", {"lymphocyte": 5}, "scattered nuclei, lymphocyte"),
    ],
)
def test_words_become_nuclei_of_their_kinds_and_a_prompt(
    words: str, kinds: dict[str, int], prompt: str
) -> None:
    layout = layout_of_words(words, KINDS)
    assert Counter(kind for _, _, kind in layout.points) == kinds
    assert layout.text == prompt
    assert layout == layout_of_words(words, KINDS)
    assert layout != layout_of_words(words, KINDS, seed=1)


@pytest.mark.parametrize(
    "words", ["", "nuclei", "crowded nuclei", "two unicorns", "no nuclei", "900 nuclei", "two"]
)
def test_words_that_are_no_layout_are_told(words: str) -> None:
    with pytest.raises(InputError):
        layout_of_words(words, KINDS)


def test_crowded_nuclei_lie_closer_than_scattered_ones() -> None:
    random = np.random.default_rng(0)
    crowded, scattered = (
        np.std(sampled_points(12, random, spread=spread), axis=0).mean() for spread in (0.5, 0.96)
    )
    assert crowded < 0.7 * scattered


def test_a_real_picture_s_points_are_shares_of_its_sides() -> None:
    layout = layout_of_points(
        np.array([[10.0, 5.0], [30.0, 20.0]]), ["nucleus", "mitosis"], width_px=40, height_px=25
    )
    assert layout.points == ((0.25, 0.2, "nucleus"), (0.75, 0.8, "mitosis"))


def test_a_table_of_points_is_a_layout(tmp_path: Path) -> None:
    table = tmp_path / "points.csv"
    table.write_text("x_px,y_px,type\n16,32,mitosis\n8,8,\n")
    layout = layout_of_table(table, KINDS, side_px=64, text="crowded nuclei")
    assert layout.points == ((0.25, 0.5, "mitosis"), (0.125, 0.125, "nucleus"))


@pytest.mark.parametrize(
    "rows", ["x_px,y_px\n70,5\n", "x_px,y_px,type\n5,5,unicorn\n", "x,y\n5,5\n", "x_px,y_px\na,5\n"]
)
def test_a_table_that_is_no_layout_is_told(tmp_path: Path, rows: str) -> None:
    table = tmp_path / "points.csv"
    table.write_text(rows)
    with pytest.raises(InputError):
        layout_of_table(table, KINDS, side_px=64)
