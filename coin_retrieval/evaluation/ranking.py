"""Figures of ranked lists. Pure functions on which places of a list are relevant.

``relevant`` is bool [queries places], best place first; lists that are shorter than the others are
padded with ``False``: a place that could not be filled is a place that did not help.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Relevance = NDArray[np.bool_]


def precision_at(relevant: Relevance, k: int) -> NDArray[np.float64]:
    """P@k of each query: the relevant share of its first ``k`` places, float64 [queries]."""
    return np.asarray(relevant[:, :k].sum(axis=1) / k, np.float64)


def accuracy_at(relevant: Relevance, k: int) -> NDArray[np.float64]:
    """ACC@k of each query: 1 if any of its first ``k`` places is relevant, float64 [queries]."""
    return np.asarray(relevant[:, :k].any(axis=1), np.float64)


def majority_vote_at(labels: Sequence[Sequence[str]], truth: Sequence[str], k: int) -> np.ndarray:
    """mMV@k: 1 where the most frequent label of the first ``k`` is the true one, float64 [queries].

    Ties go to the label that comes first in the list (Kalra et al. 2020, arXiv 1911.08748).
    """
    voted = [max(row[:k], key=row[:k].count, default="") for row in labels]
    return np.array([vote == true for vote, true in zip(voted, truth, strict=True)], np.float64)


def macro_interval(
    values: NDArray[np.float64],
    classes: Sequence[str],
    *,
    draws: int = 2000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Mean over classes of the class means, and its percentile bootstrap interval.

    Queries are drawn anew within their class, so every draw keeps every class.

    Returns:
        Mean, lower and upper bound.
    """
    names = np.array(classes)
    groups = [values[names == name] for name in sorted(set(classes))]
    random = np.random.default_rng(seed)
    drawn = np.mean(
        [
            group[random.integers(len(group), size=(draws, len(group)))].mean(axis=1)
            for group in groups
        ],
        axis=0,
    )
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return float(np.mean([group.mean() for group in groups])), float(low), float(high)
