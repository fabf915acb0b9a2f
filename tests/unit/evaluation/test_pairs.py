from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import ImageColor

from coin_retrieval.errors import InputError
from coin_retrieval.evaluation.pairs.judging import draw_like, judge_pairs, squares_of, to_markdown
from coin_retrieval.evaluation.pairs.segmenting import score_segmenter, train_segmenter
from coin_retrieval.evaluation.pairs.sheet import SHOWN, draw_page, overlay
from coin_retrieval.generation.joint import JointGenerator
from coin_retrieval.metrics.instances import distance_map
from coin_retrieval.presenting.sheet_page import SYNTHETIC
from coin_retrieval.prototypes.tiles import Tile
from coin_retrieval.testing import tiny_models


def tile(number: int, *, empty: bool = False, side: int = 40) -> Tile:
    """Dark discs on a pale ground."""
    rows, columns = np.indices((side, side))
    random = np.random.default_rng(number)
    instances = np.zeros((side, side), np.int32)
    for nucleus, (x, y) in enumerate([] if empty else [(10, 10), (28, 12), (18, 30)], start=1):
        instances[np.hypot(columns - x, rows - y) < 5] = nucleus
    picture = np.where(instances[..., None] > 0, (90, 40, 140), (230, 200, 220))
    return Tile(
        name=f"{number}",
        image=(picture + random.integers(-9, 9, picture.shape)).astype(np.uint8),
        instances=instances,
        labels=(instances > 0).astype(np.uint8),
        distances=distance_map(instances),
        kind="nucleus",
        setting="brain",
        held_out=False,
    )


def test_a_segmenter_learns_what_it_is_shown() -> None:
    random = np.random.default_rng(0)
    squares = squares_of([tile(n) for n in range(3)], 12, side_px=32, random=random)
    network = train_segmenter(squares, steps=25, seed=0)
    overlaps, _ = score_segmenter(network, squares)
    assert overlaps.mean() > 0.8


def test_a_model_is_judged_by_obedience_and_by_what_networks_learn_from_it(tmp_path: Path) -> None:
    generator = JointGenerator(tiny_models.write_joint_dir(tmp_path / "joint"))
    figures = judge_pairs(
        generator, [tile(n) for n in range(3)], [tile(9)], count=8, tested=3, steps=2
    )
    assert [row.trained_on for row in figures.segmenters] == ["real", "drawn", "real and drawn"]
    assert [row.pairs for row in figures.segmenters] == [8, 8, 16]
    assert 0 <= figures.obedience.mean <= 1
    assert to_markdown(figures).count("|") == 25


def test_tiles_without_nuclei_judge_nothing() -> None:
    with pytest.raises(InputError, match="too few nuclei"):
        squares_of([tile(0, empty=True)], 2, side_px=32, random=np.random.default_rng(0))


def test_a_sheet_marks_what_is_drawn_and_shows_where_nuclei_were_asked(tmp_path: Path) -> None:
    generator = JointGenerator(tiny_models.write_joint_dir(tmp_path / "joint"))
    drawn, both = (
        draw_page(generator, [tile(9)], seed=0, beside_real=beside) for beside in (False, True)
    )
    framed = np.all(drawn == ImageColor.getrgb(SYNTHETIC), axis=-1).sum()
    assert framed > 3 * SHOWN * 4 * 100
    # the real ones stand below, without a frame
    assert np.all(both == ImageColor.getrgb(SYNTHETIC), axis=-1).sum() == framed
    assert len(both) > len(drawn)


def test_a_dot_stands_where_each_nucleus_was_asked(tmp_path: Path) -> None:
    generator = JointGenerator(tiny_models.write_joint_dir(tmp_path / "joint"))
    side = generator.config.side_px
    (square,) = squares_of([tile(0)], 1, side_px=side, random=np.random.default_rng(0))
    (pair,) = draw_like(generator, [square], seed=0)
    page = overlay(pair, square)
    yellow = np.all(page == (255, 214, 10), axis=-1)
    scale = len(page) // side
    for x, y in np.clip((square.points * scale).round().astype(int), 3, len(page) - 4):
        assert yellow[y, x]
    assert yellow.sum() <= 25 * len(square.points)
