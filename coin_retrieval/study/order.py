"""Who reads what when: a crossover with a period of washout, and an order of each reader's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from coin_retrieval.study.kind import Kind
from coin_retrieval.study.models import Item


@dataclass(frozen=True, slots=True)
class Planned:
    """One reading: item number ``item`` in a period, at a place of it."""

    item: int
    period: int
    place: int
    aided: bool


def readings_of(items: Sequence[Item], *, kind: Kind, reader: int, seed: int) -> list[Planned]:
    """The readings of reader number ``reader``, in order.

    A diagnosis study has two periods. In the first, half of the items of each label is read without
    retrieval and half with it; in the second the halves change places (Jones, Kenward 2014). Every
    other reader begins with the halves exchanged, so that neither period nor half is confounded
    with retrieval. Within a period the order is random, another one for each reader.
    """
    random = np.random.default_rng([seed, reader])
    if kind is Kind.REAL_OR_DRAWN:
        order = random.permutation(len(items))
        return [Planned(int(item), 1, place, aided=False) for place, item in enumerate(order)]
    first_half = _half(items, seed=seed)
    planned = []
    for period in (1, 2):
        for place, item in enumerate(random.permutation(len(items))):
            # true for the half that this reader reads with retrieval in this period
            aided = (int(item) in first_half) == ((reader + period) % 2 == 0)
            planned.append(Planned(int(item), period, place, aided=aided))
    return planned


def _half(items: Sequence[Item], *, seed: int) -> frozenset[int]:
    """Every other item of each label, drawn by lot; odd ones out alternate between the halves."""
    random = np.random.default_rng(seed)
    by_label = sorted(random.permutation(len(items)), key=lambda item: items[item].truth)
    return frozenset(int(item) for item in by_label[::2])
