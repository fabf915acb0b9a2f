"""Answered readings as arrays [readers, items]; what is missing is not a number."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.metrics.bootstrap import DRAWS, quantile_interval
from coin_retrieval.metrics.intervals import Estimate
from coin_retrieval.study.models import Reading

Values = NDArray[np.float64]
LEAST_READERS = 5
"""From so many on, readers are drawn anew too: the figure then speaks of readers like these."""


@dataclass(frozen=True)
class Arm:
    """All readings of one kind, float64 [readers, items] and one label an item.

    ``first`` is 1 where the first answer is the truth, ``any`` where one of three is; ``seconds``
    and ``confidence`` are as told; ``choice`` is the number of the first answer.
    """

    first: Values
    any: Values
    seconds: Values
    confidence: Values
    choice: Values


def arm_of(
    readings: Sequence[Reading],
    readers: Sequence[str],
    items: Sequence[int],
    choices: Sequence[str],
) -> Arm:
    """The readings of one kind, laid out."""
    shape = len(readers), len(items)
    arm = Arm(*(np.full(shape, np.nan) for _ in range(5)))
    row = {reader: n for n, reader in enumerate(readers)}
    column = {item: n for n, item in enumerate(items)}
    number = {choice: n for n, choice in enumerate(choices)}
    for one in readings:
        at = row[one.reader], column[one.item]
        arm.first[at] = one.answers[0] == one.truth
        arm.any[at] = one.truth in one.answers
        arm.seconds[at] = max(one.took_ms, 1) / 1000
        arm.confidence[at] = one.confidence
        arm.choice[at] = number[one.answers[0]]
    return arm


def estimate(
    values: Sequence[Values], statistic: Callable[..., float], *, draws: int = DRAWS, seed: int = 0
) -> Estimate:
    """A statistic of arrays [readers, items], with its percentile bootstrap interval.

    Items are drawn anew, the same ones for every reader and array, so differences stay paired.
    Readers are drawn anew from :data:`LEAST_READERS` on; fewer are taken as they are, and the
    interval then speaks of these readers only (Obuchowski 1995 on both views).
    """
    readers, items = values[0].shape
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(draws):
        columns = random.integers(items, size=items)
        rows = random.integers(readers, size=readers) if readers >= LEAST_READERS else slice(None)
        drawn.append(statistic(*(one[rows][:, columns] for one in values)))
    known = np.asarray(drawn)[np.isfinite(drawn)]
    mean = statistic(*values)
    low, high = quantile_interval(known) if len(known) else (mean, mean)
    return Estimate(mean=mean, low=low, high=high)


def mean(values: Values) -> float:
    """Over all readings that are there."""
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def difference(one: Values, other: Values) -> float:
    """Mean of the second less the first, over what is there in both."""
    return mean(other - one)


def ratio(one: Values, other: Values) -> float:
    """Geometric mean of the second over the first."""
    return float(np.exp(mean(np.log(other) - np.log(one))))


def agreement(choice: Values) -> float:
    """Cohen's kappa, averaged over all pairs of readers (Cohen 1960; Light 1971)."""
    from sklearn.metrics import cohen_kappa_score

    found = []
    for one, other in combinations(choice, 2):
        both = np.isfinite(one) & np.isfinite(other)
        if both.sum() > 1 and len({*one[both], *other[both]}) > 1:
            found.append(float(cohen_kappa_score(one[both], other[both])))
    return float(np.mean(found)) if found else float("nan")
