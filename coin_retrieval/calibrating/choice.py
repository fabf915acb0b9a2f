"""Choosing among many candidates without believing one's luck. Pure functions on P@k tables.

``values`` is float64 [candidates queries]. The best of three hundred candidates looks better than
it is; so it is chosen on some queries and measured on others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.errors import InputError

FEWEST_QUERIES, FEWEST_OF_A_CLASS = 40, 4
"""With fewer labelled reports one way of searching looks better than another by chance."""

_EQUAL = 1e-12

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
    """The candidate with the best macro average; of equal ones the simplest."""
    means = macro(values, classes)
    able = np.flatnonzero(means >= means.max() - _EQUAL).tolist()
    return min(able, key=lambda row: (complexities[row], row))


def too_few(classes: Sequence[str], units: Sequence[str]) -> str:
    """Why these queries cannot say how an archive is searched best; empty if they can.

    Queries of one unit count once.
    """
    counts = Counter(name for name, _ in dict.fromkeys(zip(classes, units, strict=True)))
    least = min(counts.values(), default=0)
    if counts.total() >= FEWEST_QUERIES and least >= FEWEST_OF_A_CLASS:
        return ""
    return (
        f"{counts.total()} independent reports of {len(counts)} classes, {least} of the smallest: "
        f"at least {FEWEST_QUERIES}, and {FEWEST_OF_A_CLASS} of each class, are needed to change "
        "how an archive is searched"
    )


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
