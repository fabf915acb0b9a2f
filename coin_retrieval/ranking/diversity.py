"""Pictures that repeat each other, and lists that do not. Pure functions over rows and ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.types import Embeddings

WORTH_A_LOOK = 0.8
"""Cosine similarity from which on two pictures are looked at: is one a copy of the other?

Low, because an encoder may place a mirrored copy at 0.85."""


def repeats(
    rows: Embeddings,
    owners: Sequence[str],
    same: Callable[[int, int], bool],
    *,
    cases: int,
    worth_a_look: float = WORTH_A_LOOK,
) -> dict[int, int]:
    """Which pictures of a ranking repeat one listed before from another case: place → that place.

    What repeats nothing is listed itself; the walk ends when pictures of so many ``cases`` are. A
    case's own pictures are never compared: they are one patient's anyway.

    Args:
        rows: float32 [n dim] of L2 norm 1, best first.
        owners: the case of each row.
        same: whether two pictures whose embeddings are that near are one.
    """
    folded: dict[int, int] = {}
    listed: list[int] = []
    shown: set[str] = set()
    for place in range(len(rows)):
        if len(shown) == cases:
            break
        near = rows[listed] @ rows[place] >= worth_a_look
        first = next(
            (
                before
                for before, likely in zip(listed, near.tolist(), strict=True)
                if likely and owners[before] != owners[place] and same(before, place)
            ),
            None,
        )
        if first is None:
            listed.append(place)
            shown.add(owners[place])
        else:
            folded[place] = first
    return folded


def diversify(
    relevance: Sequence[float], rows: Embeddings, k: int, *, diversity: float
) -> list[int]:
    """The places of ``k`` rows by maximal marginal relevance, in the order they were chosen.

    Each next one has the greatest (1 − ``diversity``) · relevance − ``diversity`` · likeness to
    the most alike chosen before; the first is the most relevant. Both are brought to [0, 1] by
    their range among these rows: a text and a picture are never as alike as two pictures, and raw
    cosines would weigh one against the other by that gap alone. Ties go to the earlier place.
    Source: Carbonell & Goldstein, SIGIR 1998.

    Args:
        relevance: similarity of each row to the query.
        rows: float32 [n dim] of L2 norm 1.
        diversity: 0 keeps the order of relevance, 1 asks only for difference.
    """
    if not len(rows):
        return []
    wanted = _to_unit_range(np.asarray(relevance, np.float64))
    likeness = np.asarray(rows @ rows.T, np.float64)
    apart = ~np.eye(len(rows), dtype=bool)
    if apart.any():
        likeness[apart] = _to_unit_range(likeness[apart])
    chosen: list[int] = []
    left, penalty = np.ones(len(rows), bool), np.zeros(len(rows))
    for _ in range(min(k, len(rows))):
        share = diversity if chosen else 0.0
        worth = (1 - share) * wanted - share * penalty
        best = int(np.argmax(np.where(left, worth, -np.inf)))
        chosen.append(best)
        left[best] = False
        penalty = np.maximum(penalty, likeness[best])
    return chosen


def _to_unit_range(values: NDArray[np.float64]) -> NDArray[np.float64]:
    low, high = float(values.min()), float(values.max())
    return (values - low) / (high - low) if high > low else np.zeros_like(values)
