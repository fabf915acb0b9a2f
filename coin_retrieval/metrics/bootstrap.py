"""How sure is a figure? Percentile bootstrap of macro averages (Efron, Tibshirani 1993, ch. 13).

Queries are drawn anew within their class, so every draw keeps every class. Where several queries
come from one case they are drawn together: a patient's pictures are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.metrics.intervals import Estimate

Values = NDArray[np.float64]
DRAWS = 2000
_CELLS = 4_000_000
"""Draws × cases that are held at once: bounds the memory of large archives."""


def macro_draws(
    values: Values,
    classes: Sequence[str],
    *,
    cases: Sequence[str] | None = None,
    draws: int = DRAWS,
    seed: int = 0,
) -> Values:
    """Macro averages of ``draws`` resampled sets of queries, float64 [draws].

    Args:
        values: float64 [queries].
        classes: the class of each query.
        cases: the case of each query; ``None``: each query is a case of its own. Within a class
            whole cases are drawn.
    """
    names = np.asarray(classes)
    units = np.arange(len(values)).astype(str) if cases is None else np.asarray(cases)
    random = np.random.default_rng(seed)
    means = []
    for name in sorted(set(classes)):
        inside = names == name
        _, index = np.unique(units[inside], return_inverse=True)
        sums = np.bincount(index, values[inside]).astype(np.float64)
        means.append(_resampled(sums, np.bincount(index), random, draws))
    return np.asarray(np.mean(means, axis=0), np.float64)


def macro_mean(values: Values, classes: Sequence[str]) -> float:
    """Mean over classes of the class means: a rare class counts as much as a frequent one."""
    names = np.asarray(classes)
    return float(np.mean([values[names == name].mean() for name in sorted(set(classes))]))


def macro_interval(
    values: Values,
    classes: Sequence[str],
    *,
    cases: Sequence[str] | None = None,
    draws: int = DRAWS,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """The macro average and its percentile bootstrap interval; arguments as :func:`macro_draws`.

    Of the difference of two modes on the same queries (``values``: one minus the other) this is
    the paired interval: every draw takes the same queries for both.
    """
    drawn = macro_draws(values, classes, cases=cases, draws=draws, seed=seed)
    low, high = quantile_interval(drawn, level=level)
    return Estimate(mean=macro_mean(values, classes), low=low, high=high)


def _resampled(
    sums: Values, counts: NDArray[np.int64], random: np.random.Generator, draws: int
) -> Values:
    """Means of one class's queries, its cases drawn anew, float64 [draws]."""
    step = max(1, _CELLS // len(sums))
    parts = []
    for start in range(0, draws, step):
        rows = random.integers(len(sums), size=(min(step, draws - start), len(sums)))
        parts.append(sums[rows].sum(axis=1) / counts[rows].sum(axis=1))
    return np.concatenate(parts)


def quantile_interval(drawn: Values, *, level: float = 0.95) -> tuple[float, float]:
    """The middle ``level`` share of bootstrap draws: lower and upper bound."""
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
