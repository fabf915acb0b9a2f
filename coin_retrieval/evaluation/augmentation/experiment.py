"""Do generated pictures help to train a classifier? Tested on real pictures only.

The experiments of COIN (Zheng et al., Clin Cancer Res 2026): trained on all real pictures and on
few, each with and without generated ones, and on generated ones alone. A seed draws the few
pictures and starts the training; with and without generated the draw is the same, so that their
difference is paired.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from coin_retrieval.evaluation.augmentation.classifiers import Classifier
from coin_retrieval.evaluation.augmentation.training_sets import Pool, Regime, regimes
from coin_retrieval.metrics.bootstrap import macro_interval, macro_mean
from coin_retrieval.metrics.intervals import Estimate


class RegimeFigures(BaseModel):
    """Macro accuracies on the test pictures, one a seed.

    ``shots`` is real pictures a class, ``None`` for all and 0 for none; ``real`` and ``generated``
    count the training pictures; ``sd`` is over seeds, ``None`` for a single one; ``classes`` are
    the accuracies by class, averaged over seeds.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    shots: int | None
    real: int
    generated: int
    accuracies: list[float]
    mean: float
    sd: float | None
    classes: dict[str, float]


class Gain(BaseModel):
    """With generated pictures minus without, at the same real ones.

    ``interval`` is the 95 % bootstrap interval of the seeds' mean over the test pictures.
    """

    model_config = ConfigDict(frozen=True)

    shots: int | None
    differences: list[float]
    interval: Estimate
    sd: float | None


class AugmentationFigures(BaseModel):
    """Every training set, and what generated pictures add."""

    model_config = ConfigDict(frozen=True)

    classifier: str
    by: str
    real: str
    generated: str
    test: str
    test_pictures: int
    generated_weight: float
    seeds: list[int]
    regimes: list[RegimeFigures]
    gains: list[Gain]
    left_out: list[str]
    notes: list[str]


Named = dict[Regime, NDArray[np.float64]]


def run_regimes(
    classifier: Classifier,
    pool: Pool,
    test_labels: Sequence[str],
    *,
    shots: Sequence[int],
    seeds: Sequence[int],
    generated_weight: float,
    done: Callable[[], None] = lambda: None,
) -> Named:
    """Which test pictures are named right, float64 [seeds test] for every regime.

    ``done`` is called once a step, also where one training stands for several seeds.
    """
    truth = np.array(test_labels, dtype=np.str_)
    right: Named = {}
    for regime in regimes(shots):
        found: dict[tuple[bytes, int], NDArray[np.float64]] = {}
        by_seed = []
        for seed in seeds:
            rows = regime.rows(pool, seed=seed)
            key = (rows.tobytes(), 0 if classifier.repeatable else seed)
            if key not in found:
                weights = pool.weigh(rows, generated_weight=generated_weight)
                named = classifier.train_and_name(rows, weights, seed=seed, done=done)
                found[key] = np.asarray(named == truth, np.float64)
            else:
                for _ in range(classifier.steps):
                    done()
            by_seed.append(found[key])
        right[regime] = np.stack(by_seed)
    return right


def regime_figures(
    right: Named, pool: Pool, test_labels: Sequence[str], *, seeds: Sequence[int]
) -> list[RegimeFigures]:
    """The figures of every regime, in order."""
    labels = np.array(test_labels, dtype=np.str_)
    figures = []
    for regime, by_seed in right.items():
        rows = regime.rows(pool, seed=seeds[0])
        accuracies = [macro_mean(one, test_labels) for one in by_seed]
        figures.append(
            RegimeFigures(
                name=regime.name,
                shots=regime.shots,
                real=int((rows < len(pool.real)).sum()),
                generated=int((rows >= len(pool.real)).sum()),
                accuracies=accuracies,
                mean=float(np.mean(accuracies)),
                sd=_spread(accuracies),
                classes={
                    label: float(by_seed[:, labels == label].mean())
                    for label in sorted(set(test_labels))
                },
            )
        )
    return figures


def gains(
    right: Named, test_labels: Sequence[str], test_cases: Sequence[str], *, shots: Sequence[int]
) -> list[Gain]:
    """What generated pictures add to few and to all real ones."""
    found = []
    for few in (*shots, None):
        added = right[Regime(few, generated=True)] - right[Regime(few, generated=False)]
        differences = [macro_mean(one, test_labels) for one in added]
        found.append(
            Gain(
                shots=few,
                differences=differences,
                interval=macro_interval(added.mean(axis=0), test_labels, cases=test_cases),
                sd=_spread(differences),
            )
        )
    return found


def to_markdown(figures: AugmentationFigures) -> str:
    """A row a number of real pictures: without, with generated, and the difference."""
    by_set = {(one.shots, one.generated > 0): one for one in figures.regimes}
    count = len(figures.seeds)
    lines = [
        f"| macro accuracy by {figures.by}, {count} seed{'s' if count > 1 else ''} | real "
        "| real + generated | difference a seed | mean difference (95 %, test pictures) |",
        "|---|---|---|---|---|",
        *(
            f"| {Regime(gain.shots, generated=False).name} "
            f"| {_accuracy(by_set[gain.shots, False])} | {_accuracy(by_set[gain.shots, True])} | "
            f"{', '.join(f'{d:+.3f}' for d in gain.differences)} | "
            f"{gain.interval.signed_markdown} |"
            for gain in figures.gains
        ),
        f"| generated only | – | {_accuracy(by_set[0, True])} | | |",
        "",
        f"- {figures.classifier[0].upper()}{figures.classifier[1:]}; tested on "
        f"{figures.test_pictures} real pictures of {figures.test}.",
        f"- Generated: {figures.generated}; those of a class weigh at most "
        f"{figures.generated_weight:g} × its real ones.",
        *([f"- Left out: {', '.join(figures.left_out)}."] if figures.left_out else []),
        *(f"- {note}" for note in figures.notes),
    ]
    return "\n".join(lines) + "\n"


def _spread(values: Sequence[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def _accuracy(one: RegimeFigures) -> str:
    spread = "" if one.sd is None else f" ± {one.sd:.3f}"
    return f"{one.mean:.3f}{spread}"
