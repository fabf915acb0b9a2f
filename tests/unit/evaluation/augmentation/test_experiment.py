"""Augmentation: which pictures are drawn and weigh how much, and the whole command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from coin_retrieval.cli.main import app
from coin_retrieval.errors import InputError
from coin_retrieval.evaluation.augmentation.classifiers import LinearClassifier
from coin_retrieval.evaluation.augmentation.experiment import gains, regime_figures, run_regimes
from coin_retrieval.evaluation.augmentation.training_sets import (
    Pool,
    Regime,
    Rows,
    Weights,
    of_shared_classes,
    regimes,
)
from coin_retrieval.evaluation.pictures.picture_sets import PictureSet
from coin_retrieval.tables.cases import CaseRow

POOL = Pool(["a"] * 20 + ["b"] * 6, ["a"] * 5 + ["b"] * 60)


def test_few_pictures_are_so_many_a_class_and_nested() -> None:
    few, more = POOL.few(3, seed=1), POOL.few(5, seed=1)
    assert [int((POOL.labels[few] == label).sum()) for label in "ab"] == [3, 3]
    assert set(few) < set(more)
    assert set(few) != set(POOL.few(3, seed=2))
    assert len(POOL.few(10, seed=1)) == 10 + 6
    assert list(POOL.few(None, seed=1)) == list(range(26))


def test_every_class_weighs_the_same_and_generated_ones_no_more_than_real_ones() -> None:
    rows = Regime(None, generated=True).rows(POOL, seed=0)
    weights = POOL.weigh(rows, generated_weight=1.0)
    labels, real = POOL.labels[rows], rows < 26
    assert weights.sum() == pytest.approx(1)
    for label in "ab":
        assert weights[labels == label].sum() == pytest.approx(0.5)
    # five drawn beside twenty real: each counts like a real one, not four times as much
    assert weights[(labels == "a") & ~real][0] == pytest.approx(weights[(labels == "a") & real][0])
    # sixty drawn beside six real: together they count as much as the six
    assert weights[(labels == "b") & ~real].sum() == pytest.approx(0.25)
    halved = POOL.weigh(rows, generated_weight=0.5)
    assert halved[(labels == "b") & ~real].sum() == pytest.approx(0.5 / 3)


def test_generated_alone_weigh_all() -> None:
    rows = Regime(0, generated=True).rows(POOL, seed=0)
    assert rows.min() == 26
    weights = POOL.weigh(rows, generated_weight=0.1)
    assert weights[POOL.labels[rows] == "a"].sum() == pytest.approx(0.5)


def test_the_regimes_are_few_and_all_with_and_without_and_generated_only() -> None:
    assert [regime.name for regime in regimes([5, 10])] == [
        "5 real a class",
        "5 real a class + generated",
        "10 real a class",
        "10 real a class + generated",
        "all real",
        "all real + generated",
        "generated only",
    ]


def labelled(*findings: str) -> PictureSet:
    rows = (CaseRow(Path(f"{i}.png"), str(i), finding=name) for i, name in enumerate(findings))
    return PictureSet("set", tuple(rows))


def test_classes_of_which_a_set_has_fewer_than_two_are_left_out() -> None:
    sets = [labelled(*"aabbbc"), labelled(*"aabbd"), labelled(*"aabbcc", "")]
    kept, left_out = of_shared_classes(sets, "finding")
    assert [one.labels("finding") for one in kept] == [list("aabbb"), list("aabb"), list("aabb")]
    assert left_out == ["c", "d"]
    with pytest.raises(InputError, match="too few classes"):
        of_shared_classes([*sets, labelled(*"aa")], "finding")


def clouds(
    count: int, *, seed: int, apart: float, labels: str = "ab"
) -> tuple[NDArray[np.float32], list[str]]:
    """Two Gaussian clouds in eight dimensions, their centres ``apart``."""
    random = np.random.default_rng(seed)
    names = [label for label in labels for _ in range(count)]
    rows = random.normal(0, 1, (len(names), 8))
    rows[:, 0] += apart * np.array([labels.index(name) for name in names])
    return rows.astype(np.float32), names


def figures_of(drawn_as: str) -> tuple[dict[str, float], dict[int | None, float]]:
    """Macro accuracy by training set, and the gains, where real clouds lie 4 apart."""
    real, real_labels = clouds(40, seed=1, apart=4)
    drawn, drawn_labels = clouds(40, seed=2, apart=4, labels=drawn_as)
    test, truth = clouds(200, seed=3, apart=4)
    pool = Pool(real_labels, drawn_labels)
    classifier = LinearClassifier(np.concatenate([real, drawn]), pool.labels, test)
    right = run_regimes(classifier, pool, truth, shots=[2], seeds=[0, 1, 2], generated_weight=20.0)
    figures = regime_figures(right, pool, truth, seeds=[0, 1, 2])
    found = gains(right, truth, [str(i) for i in range(400)], shots=[2])
    for gain in found:
        with_, without = (
            right[Regime(gain.shots, generated=generated)].mean() for generated in (True, False)
        )
        assert gain.interval.mean == pytest.approx(with_ - without)
        assert gain.interval.mean == pytest.approx(np.mean(gain.differences))
    return {one.name: one.mean for one in figures}, {
        gain.shots: gain.interval.mean for gain in found
    }


def test_good_drawings_help_where_real_pictures_are_few() -> None:
    accuracy, gained = figures_of(drawn_as="ab")
    assert accuracy["all real"] > 0.95
    assert accuracy["generated only"] > 0.9
    assert accuracy["2 real a class"] < 0.93
    assert gained[2] > 0.03
    assert abs(gained[None]) < 0.03


def test_drawings_of_the_wrong_class_do_harm() -> None:
    accuracy, gained = figures_of(drawn_as="ba")
    assert accuracy["generated only"] < 0.2
    assert gained[2] < -0.05


class Counting(LinearClassifier):
    """Counts its trainings."""

    trainings = 0

    def train_and_name(self, rows: Rows, weights: Weights) -> NDArray[np.str_]:
        self.trainings += 1
        return super().train_and_name(rows, weights)


def test_what_no_seed_changes_is_trained_once_and_the_bar_still_ends() -> None:
    pixels, truth = clouds(91, seed=1, apart=4)
    classifier = Counting(pixels[: len(POOL.labels)], POOL.labels, pixels[:2])
    heard = []
    run_regimes(
        classifier, POOL, truth[:2], shots=[3], seeds=[0, 1, 2], generated_weight=1,
        on=lambda *told: heard.append(told),
    )  # fmt: skip
    assert classifier.trainings == 3 + 3 + 1 + 1 + 1
    assert (heard[0], heard[-1]) == (("training", 0, 5 * 3), ("training", 5 * 3, 5 * 3))


def test_the_command_gives_every_figure_a_table_and_a_plot(
    training: Path, held_out: Path, drawn: Path, space: str, tmp_path: Path
) -> None:
    ran = CliRunner().invoke(
        app,
        [
            "evaluate", "augmentation", "--real", str(training), "--where", "split=train",
            "--test", str(held_out), "--test-where", "split=val", "--generated", str(drawn),
            "--shots", "2,20", "--seeds", "2", "--features", space, "--out", str(tmp_path),
            "--json",
        ],
    )  # fmt: skip
    assert ran.exit_code == 0, ran.output
    figures = json.loads(ran.stdout)
    assert figures == json.loads((tmp_path / "augmentation.json").read_text())
    assert [(one["name"], one["real"], one["generated"]) for one in figures["regimes"]] == [
        ("2 real a class", 4, 0),
        ("2 real a class + generated", 4, 12),
        ("20 real a class", 24, 0),
        ("20 real a class + generated", 24, 12),
        ("all real", 24, 0),
        ("all real + generated", 24, 12),
        ("generated only", 0, 12),
    ]
    assert all(len(one["accuracies"]) == 2 for one in figures["regimes"])
    assert "eosinophil (12), lymphocyte (12)" in figures["notes"][-1]
    # red and blue cells are told apart by any features
    assert figures["regimes"][4]["mean"] > 0.9
    assert figures["regimes"][4]["sd"] == 0
    table = (tmp_path / "augmentation.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in table[2:6]] == [
        "2 real a class", "20 real a class", "all real", "generated only"
    ]  # fmt: skip
    with Image.open(tmp_path / "augmentation.png") as plot:
        assert plot.width > 500


@pytest.mark.parametrize(
    ("swap", "problem"),
    [
        ({"--real": "drawn"}, "are not real"),
        ({"--test": "drawn"}, "are not real"),
        ({"--generated": "held_out"}, "are real, or do not say"),
        ({"--test": "training"}, "share cases"),
    ],
)
def test_sets_in_the_wrong_place_are_refused(
    training: Path, held_out: Path, drawn: Path, swap: dict[str, str], problem: str
) -> None:
    sets = {"training": training, "held_out": held_out, "drawn": drawn}
    given = {"--real": "training", "--test": "held_out", "--generated": "drawn"} | swap
    arguments = [part for option, name in given.items() for part in (option, str(sets[name]))]
    ran = CliRunner().invoke(app, ["evaluate", "augmentation", *arguments, "--json"])
    assert ran.exit_code == 2
    assert problem in json.loads(ran.stdout)["error"]["problem"]


def test_shots_that_are_no_numbers_are_told_before_anything_is_read() -> None:
    arguments = ["--real", "x", "--test", "x", "--generated", "x", "--shots", "5,many", "--json"]
    ran = CliRunner().invoke(app, ["evaluate", "augmentation", *arguments])
    assert json.loads(ran.stdout)["error"]["problem"] == "--shots cannot be read"
