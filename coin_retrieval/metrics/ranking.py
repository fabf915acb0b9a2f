"""Figures of ranked lists. Pure functions on which places of a list are relevant.

``relevant`` is bool [queries places], best place first; lists that are shorter than the others are
padded with ``False``: a place that could not be filled is a place that did not help. ``findable``
is int [queries]: how many relevant cases a perfect list could have shown, wherever they rank.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Relevance = NDArray[np.bool_]
Counts = NDArray[np.int64]
Values = NDArray[np.float64]


def precision_at(relevant: Relevance, k: int) -> Values:
    """P@k of each query: the relevant share of its first ``k`` places, float64 [queries]."""
    return np.asarray(relevant[:, :k].sum(axis=1) / k, np.float64)


def accuracy_at(relevant: Relevance, k: int) -> Values:
    """ACC@k of each query: 1 if any of its first ``k`` places is relevant, float64 [queries]."""
    return np.asarray(relevant[:, :k].any(axis=1), np.float64)


def majority_vote_at(labels: Sequence[Sequence[str]], truth: Sequence[str], k: int) -> Values:
    """mMV@k: 1 where the most frequent label of the first ``k`` is the true one, float64 [queries].

    Ties go to the label that comes first in the list (Kalra et al. 2020, arXiv 1911.08748).
    """
    voted = [max(row[:k], key=row[:k].count, default="") for row in labels]
    return np.array([vote == true for vote, true in zip(voted, truth, strict=True)], np.float64)


def average_precision_at(relevant: Relevance, findable: Counts, k: int) -> Values:
    """AP@k of each query, float64 [queries]; its mean over queries is mAP@k.

    The mean of P@i over the relevant places i ≤ k, divided by min(findable, k), so that a perfect
    list has 1 and relevant cases that were not found count as 0 (Manning, Raghavan, Schütze 2008,
    Introduction to Information Retrieval, 8.4). 0 where nothing is findable.
    """
    hits = relevant[:, :k]
    precisions = np.cumsum(hits, axis=1) / np.arange(1, hits.shape[1] + 1)
    return _share((precisions * hits).sum(axis=1), np.minimum(findable, k).astype(np.float64))


def ndcg_at(relevant: Relevance, findable: Counts, k: int) -> Values:
    """nDCG@k of each query with gain 1 and discount 1 / log2(place + 1), float64 [queries].

    Divided by the gain of a perfect list, which has min(findable, k) relevant places first
    (Järvelin, Kekäläinen 2002, doi 10.1145/582415.582418). 0 where nothing is findable.
    """
    discounts = 1 / np.log2(np.arange(2, k + 2))
    hits = relevant[:, :k]
    ideal = np.concatenate([[0.0], np.cumsum(discounts)])[np.minimum(findable, k)]
    return _share(hits @ discounts[: hits.shape[1]], ideal)


def _share(found: Values, possible: Values) -> Values:
    return np.divide(found, possible, out=np.zeros_like(found), where=possible > 0)
