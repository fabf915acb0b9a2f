"""The joint model at toy size: discs with outlines in, pairs that obey a layout out."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from coin_retrieval.errors import CaseTableError, InputError, WeightsError
from coin_retrieval.generation.joint import JointGenerator
from coin_retrieval.metrics.instances import centroids
from coin_retrieval.nets.joint.multinomial import (
    divergence,
    drawn,
    noised,
    one_hot,
    posterior,
)
from coin_retrieval.nets.joint.network import JointConfig
from coin_retrieval.prototypes.layouts import layout_of_points
from coin_retrieval.prototypes.tiles import cut, known_tiles, read_tiles
from coin_retrieval.testing import tiny_models
from coin_retrieval.training.joint.run import train_joint
from coin_retrieval.training.joint.task import JointRecipe
from coin_retrieval.training.loop import LoopSettings
from coin_retrieval.training.run_folder import Workshop, load_recipe, recipe_path
from coin_retrieval.types import LayoutSource

CONFIG = JointConfig(
    labels=("background", "nucleus"),
    kinds=("nucleus",),
    side_px=16,
    channels=(8, 16),
    attention=(False, False),
    patch=2,
    steps=3,
)
RECIPE = JointRecipe(
    loop=LoopSettings(steps=2, learning_rate=1e-3, warmup_steps=1, ema_decay=0, bf16=False),
    config=CONFIG,
    batch=2,
)


def write_tiles(folder: Path, *, count: int = 12, side: int = 24) -> Path:
    """Pictures of two discs with their instances."""
    folder.mkdir()
    rows, columns = np.indices((side, side))
    random = np.random.default_rng(0)
    lines = []
    for number in range(count):
        instances = np.zeros((side, side), np.uint16)
        for nucleus, (x, y) in enumerate(random.uniform(4, side - 4, (2, 2)), start=1):
            instances[np.hypot(columns - x, rows - y) < 4] = nucleus
        picture = np.where(instances[..., None] > 0, (90, 40, 140), (230, 200, 220))
        picture = picture + random.integers(-9, 9, picture.shape)
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{number}.png")
        Image.fromarray(instances).save(folder / f"{number}-nuclei.png")
        lines.append({"image_path": f"{number}.png", "instance_path": f"{number}-nuclei.png"})
    return write_manifest(folder, lines)


def write_manifest(folder: Path, lines: list[dict[str, str]]) -> Path:
    with (folder / "tiles.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, lines[0])
        writer.writeheader()
        writer.writerows(lines)
    return folder / "tiles.csv"


@pytest.fixture(scope="module")
def tiles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiles(tmp_path_factory.mktemp("tiles") / "discs")


@pytest.fixture(scope="module")
def model(tiles: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train_joint(Workshop((tiles,), tmp_path_factory.mktemp("joint")), RECIPE)


def test_a_trained_model_draws_pairs_through_the_ordinary_class(model: Path) -> None:
    generator = JointGenerator(model)
    source = LayoutSource(((0.3, 0.3, "nucleus"), (0.7, 0.6, "nucleus")), "crowded nuclei")
    (pair,) = generator.pairs(generator.plan(source, n=1, seed=4))
    assert pair.image.shape == (16, 16, 3)
    assert pair.labels.shape == pair.instances.shape == (16, 16)
    assert set(np.unique(pair.labels)) <= {0, 1}
    assert 0 <= pair.obedience <= 1
    assert np.all((pair.instances > 0) <= (pair.labels == 1))


def test_the_best_of_several_drawings_is_the_one_that_obeys_most(model: Path) -> None:
    generator = JointGenerator(model)
    source = LayoutSource(((0.3, 0.3, "nucleus"),))
    best = generator.best(source, n=3, seed=2)
    every = generator.pairs(generator.plan(source, n=3, seed=2))
    assert best.obedience == max(pair.obedience for pair in every)


@pytest.mark.parametrize(
    "points", [((1.2, 0.3, "nucleus"),), ((0.3, -0.1, "nucleus"),), ((0.3, 0.3, "mitosis"),), ()]
)
def test_a_layout_that_the_model_cannot_draw_is_told(
    model: Path, points: tuple[tuple[float, float, str], ...]
) -> None:
    with pytest.raises(InputError):
        JointGenerator(model).plan(LayoutSource(points))


def test_a_directory_that_is_no_joint_model_is_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="coin train joint"):
        JointGenerator(tmp_path)


def test_held_out_tiles_are_told_by_their_files_and_never_trained_on(tiles: Path) -> None:
    trained, held_out = (
        {tile.name for tile in some}
        for some in known_tiles(
            tiles, labels=CONFIG.labels, kinds=CONFIG.kinds, scale=1, side_px=16
        )
    )
    assert held_out
    assert not held_out & trained
    assert len(held_out | trained) == 12


def test_a_square_s_points_are_the_middles_of_its_nuclei(tiles: Path) -> None:
    tile = read_tiles(tiles, labels=CONFIG.labels, scale=1, side_px=16)[0]
    random = np.random.default_rng(1)
    for _ in range(8):
        square = cut(tile, 16, random)
        assert square.image.shape == (16, 16, 3)
        np.testing.assert_array_equal(square.points, centroids(square.instances))
        dark = square.image[..., 1] < 120
        np.testing.assert_array_equal(dark, square.labels == 1)


def test_outlines_that_fit_no_picture_are_told_with_their_line_and_nothing_is_written(
    tiles: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "odd"
    write_tiles(folder, count=2)
    Image.fromarray(np.zeros((9, 9), np.uint16)).save(folder / "1-nuclei.png")
    with pytest.raises(CaseTableError, match="line 3: the outlines fit no picture"):
        train_joint(Workshop((folder / "tiles.csv",), tmp_path / "out"), RECIPE)
    (folder / "1-nuclei.png").unlink()
    with pytest.raises(CaseTableError, match="missing"):
        train_joint(Workshop((folder / "tiles.csv",), tmp_path / "out"), RECIPE)
    assert not (tmp_path / "out").exists()


def test_labels_and_kinds_that_nobody_named_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "cells"
    write_tiles(folder, count=2)
    lines = [{"image_path": f"{n}.png", "label_path": f"{n}-nuclei.png"} for n in range(2)]
    manifest = write_manifest(folder, lines)
    with pytest.raises(CaseTableError, match="a label that nobody named"):
        read_tiles(manifest, labels=("background", "nucleus"), scale=1, side_px=16)
    manifest = write_manifest(folder, [line | {"kind": "mitosis"} for line in lines])
    with pytest.raises(CaseTableError, match="mitosis"):
        known_tiles(
            manifest, labels=("background", "a", "b"), kinds=("nucleus",), scale=1, side_px=16
        )


def test_a_table_without_outlines_is_told(drawn_table: Path) -> None:
    with pytest.raises(CaseTableError, match="names no outlines"):
        read_tiles(drawn_table, labels=CONFIG.labels, scale=1, side_px=16)


def test_the_posterior_over_one_step_is_bayes_rule() -> None:
    clean = one_hot(torch.tensor([[[0]]]), 3)
    noisy = one_hot(torch.tensor([[[2]]]), 3)
    before, now = torch.tensor([0.8]), torch.tensor([0.5])
    found = posterior(noisy, clean, before, now)[0, :, 0, 0]
    step = 0.5 / 0.8
    prior = [0.8 + 0.2 / 3, 0.2 / 3, 0.2 / 3]
    to_noisy = [(1 - step) / 3, (1 - step) / 3, step + (1 - step) / 3]
    joint = torch.tensor([a * b for a, b in zip(prior, to_noisy, strict=True)])
    assert torch.allclose(found, joint / joint.sum())
    assert float(divergence(found.view(1, 3, 1, 1), found.view(1, 3, 1, 1))) == pytest.approx(0)


def test_noised_labels_are_drawn_as_often_as_their_probabilities_say() -> None:
    torch.manual_seed(0)
    clean = one_hot(torch.zeros(1, 100, 100, dtype=torch.int64), 4)
    shares = noised(clean, torch.tensor([0.6]))
    found = drawn(shares, torch.rand_like(shares))
    assert float((found == 0).float().mean()) == pytest.approx(0.7, abs=0.02)
    assert float((found == 3).float().mean()) == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize(
    ("name", "size"), [("joint", "cpu"), ("joint", "gpu"), ("joint-cells", "cpu")]
)
def test_the_shipped_recipes_are_valid(name: str, size: str) -> None:
    assert load_recipe(JointRecipe, recipe_path(name, size=size)).loop.steps > 0


def test_the_nucleus_of_a_single_cell_is_one_in_lobes_or_not(tmp_path: Path) -> None:
    directory = tiny_models.write_joint_dir(tmp_path / "joint")
    config = json.loads((directory / "joint.json").read_text())
    counts = {}
    for single in (False, True):
        (directory / "joint.json").write_text(json.dumps(config | {"single_cell": single}))
        generator = JointGenerator(directory)
        layout = layout_of_points(
            np.array([[4, 4], [12, 12]]), ["nucleus"] * 2, width_px=16, height_px=16
        )
        (pair,) = generator.pairs(generator.plan(layout, n=1))
        assert np.array_equal(pair.instances > 0, pair.labels == 1) or not single
        counts[single] = pair.measures.count
    # of random weights: specks, each too small to be a nucleus of its own
    assert counts == {False: 0, True: 1}
