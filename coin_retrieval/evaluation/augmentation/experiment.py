"""Do generated pictures help to train a classifier? Tested on real pictures only.

The experiments of COIN (Zheng et al., Clin Cancer Res 2026): trained on all real pictures and on
few, each with and without generated ones, and on generated ones alone. A seed draws the few
pictures; with and without generated the draw is the same, so that their difference is paired.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.evaluation.augmentation.classifiers import LinearClassifier
from coin_retrieval.evaluation.augmentation.figures import (
    AugmentationFigures,
    Gain,
    RegimeFigures,
)
from coin_retrieval.evaluation.augmentation.training_sets import (
    Pool,
    Regime,
    of_shared_classes,
    regimes,
)
from coin_retrieval.evaluation.pictures.picture_sets import (
    PictureSet,
    notes_on,
    require_disjoint,
    require_drawn,
)
from coin_retrieval.evaluation.pictures.spaces import FeatureSpace
from coin_retrieval.metrics.bootstrap import macro_interval, macro_mean
from coin_retrieval.progress import Progress, counted, silent

Named = dict[Regime, NDArray[np.float64]]


def measure_augmentation(
    space: FeatureSpace,
    real: PictureSet,
    generated: PictureSet,
    test: PictureSet,
    *,
    by: str = "finding",
    shots: Sequence[int] = (5, 10, 50),
    seeds: Sequence[int] = (0, 1, 2),
    generated_weight: float = 1.0,
    on: Progress = silent,
) -> AugmentationFigures:
    """Train on real pictures, few or all, with and without drawn ones; test on real ones.

    Args:
        space: whose features a logistic regression is trained on.
        by: the label: ``finding`` or ``diagnosis``; classes that a set lacks are left out.
        shots: how many real pictures a class are few, ascending.
        seeds: each draws the few anew.
        generated_weight: as :meth:`.Pool.weigh` has it.

    Raises:
        InputError: real and test pictures share a case, or fewer than two classes are left.
        CaseTableError: a real or test picture that is not real, or a generated one that is.
        ImageError: a picture that cannot be read.
    """
    require_disjoint(real, test)
    sets = (real, require_drawn(generated), test)
    (seen, drawn, unseen), left_out = of_shared_classes(sets, by)
    pool, truth = Pool(seen.labels(by), drawn.labels(by)), unseen.labels(by)
    first, further, tested = (space.features(one, on) for one in (seen, drawn, unseen))
    classifier = LinearClassifier(np.concatenate([first, further]), pool.labels, tested)
    right = run_regimes(
        classifier, pool, truth, shots=shots, seeds=seeds, generated_weight=generated_weight, on=on
    )
    return AugmentationFigures(
        classifier=f"logistic regression on frozen features of {space.encoder.spec}",
        by=by,
        real=seen.name,
        generated=drawn.name,
        test=unseen.name,
        test_pictures=len(unseen),
        generated_weight=generated_weight,
        seeds=list(seeds),
        regimes=regime_figures(right, pool, truth, seeds=seeds),
        gains=gains(right, truth, [row.case_id for row in unseen.rows], shots=shots),
        left_out=left_out,
        notes=[*notes_on(seen, drawn, size_px=space.size_px), *pool.scarce(shots[-1])],
    )


def run_regimes(
    classifier: LinearClassifier,
    pool: Pool,
    test_labels: Sequence[str],
    *,
    shots: Sequence[int],
    seeds: Sequence[int],
    generated_weight: float,
    on: Progress = silent,
) -> Named:
    """Which test pictures are named right, float64 [seeds test] for every regime.

    Seeds that draw the same pictures are trained once.
    """
    truth = np.array(test_labels, dtype=np.str_)
    found: dict[bytes, NDArray[np.float64]] = {}
    by_seed: dict[Regime, list[NDArray[np.float64]]] = {regime: [] for regime in regimes(shots)}
    trainings = [(regime, seed) for regime in by_seed for seed in seeds]
    for regime, seed in counted(trainings, "training", on):
        rows = regime.rows(pool, seed=seed)
        key = rows.tobytes()
        if key not in found:
            weights = pool.weigh(rows, generated_weight=generated_weight)
            found[key] = np.asarray(classifier.train_and_name(rows, weights) == truth, np.float64)
        by_seed[regime].append(found[key])
    return {regime: np.stack(named) for regime, named in by_seed.items()}


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


def _spread(values: Sequence[float]) -> float | None:
    return float(np.std(values, ddof=1)) if len(values) > 1 else None
