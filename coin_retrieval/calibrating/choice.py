"""Choosing among many candidates without believing one's luck. Pure functions on P@k tables.

``values`` is float64 [candidates queries]. The best of three hundred candidates looks better than
it is; so it is chosen on some queries and measured on others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.errors import InputError

Values = NDArray[np.float64]
Folds = NDArray[np.int64]
Complexity = TypeVar("Complexity", bound=tuple[int, ...])


def stratified_folds(
    classes: Sequence[str], units: Sequence[str], *, folds: int, seed: int = 0
) -> Folds:
    """The fold of each query, int64 [queries]: classes are spread evenly, units stay together.

    Args:
        classes: the class of each query.
        units: the case that each query comes from, or a name of its own.

    Raises:
        InputError: fewer than two folds, or fewer units than folds.
    """
    distinct = list(dict.fromkeys(units))
    if not 2 <= folds <= len(distinct):
        raise InputError(
            "the queries cannot be divided",
            value=f"{folds} folds of {len(distinct)} independent queries",
            expected="at least 2 folds, and a query for each",
            remedy="give more queries, or fewer --folds",
        )
    # a unit goes by its first query's class; within a class in random order, dealt out in turn.
    # scikit-learn's StratifiedGroupKFold refuses queries of which every class is smaller than the
    # folds, and would make it and scipy part of every installation
    random = np.random.default_rng(seed)
    first = dict(zip(reversed(units), reversed(classes), strict=True))
    shuffled = [distinct[i] for i in random.permutation(len(distinct))]
    dealt = sorted(shuffled, key=lambda unit: first[unit])
    fold = {unit: place % folds for place, unit in enumerate(dealt)}
    return np.array([fold[unit] for unit in units], np.int64)


def macro(values: Values, classes: Sequence[str]) -> Values:
    """Macro averages of each candidate, float64 [candidates]."""
    return values @ _class_weights(classes)


def choose(values: Values, classes: Sequence[str], complexities: Sequence[Complexity]) -> int:
    """The simplest candidate that is not clearly worse than the best one.

    One-standard-error rule (Breiman et al. 1984, 3.4.3), on the paired difference to the best: its
    error is far smaller than that of either figure, so that a simpler candidate is taken where it
    is as good, and not where it only might be. Among equally simple ones the better is taken.
    """
    means = macro(values, classes)
    best = int(np.argmax(means))
    differences = values[best] - values
    allowed = macro(differences, classes) <= macro_errors(differences, classes) + 1e-12
    able = np.flatnonzero(allowed).tolist()
    return min(able, key=lambda row: (complexities[row], -means[row], row))


def macro_errors(values: Values, classes: Sequence[str]) -> Values:
    """Standard errors of macro averages, float64 [candidates].

    Variances are pooled over classes: one class of two or three queries could not tell its own.
    """
    names = np.asarray(classes)
    distinct = sorted(set(classes))
    freedom = len(names) - len(distinct)
    if freedom < 1:
        return np.zeros(len(values))
    squares = np.zeros(len(values))
    for name in distinct:
        inside = values[:, names == name]
        squares += ((inside - inside.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    weights = _class_weights(classes)
    return np.asarray(np.sqrt(squares / freedom * (weights**2).sum()), np.float64)


def cross_validated(
    values: Values,
    classes: Sequence[str],
    folds: Folds,
    complexities: Sequence[Complexity],
) -> tuple[Values, list[int]]:
    """What choosing is worth: P@k of each query under the choice made without its fold.

    Returns:
        float64 [queries], and the candidate that each fold was measured with.
    """
    names = np.asarray(classes)
    measured = np.empty(values.shape[1])
    chosen = []
    for fold in range(int(folds.max()) + 1):
        held_out = folds == fold
        choice = choose(values[:, ~held_out], names[~held_out].tolist(), complexities)
        measured[held_out] = values[choice, held_out]
        chosen.append(choice)
    return measured, chosen


def _class_weights(classes: Sequence[str]) -> Values:
    """Each query's share of the macro average, float64 [queries]."""
    names = np.asarray(classes)
    distinct, index, counts = np.unique(names, return_inverse=True, return_counts=True)
    return np.asarray(1 / (len(distinct) * counts[index]), np.float64)
