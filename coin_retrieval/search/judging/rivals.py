"""What else it might be: for the leading diagnosis and each rival, their nearest real cases.

An answer that shows only what agrees hides what a reader must rule out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from coin_retrieval.catalog.base import Catalog, Where
from coin_retrieval.search.judging.support import DiagnosisShare, Support
from coin_retrieval.types import CaseMatch, Origin, RowMask

RIVALS = 3
"""At most so many are shown, and two at least: where none is among the nearest, the next ones."""
_LEAST = 2

COMPARED = 10
"""Nearest cases of each diagnosis by which attributes are compared."""
CASES = 3
"""Of those, so many are shown."""

_OF_CASE = ("specimen", "stain")
_UNTELLING = frozenset({"source", "split"})
"""Columns that say where a picture came from, and nothing of what it shows."""
_MAJORITY = 0.6

Find = Callable[[int, RowMask], Sequence[CaseMatch]]
"""The nearest cases of a query, so many at most, among these images only."""


@dataclass(frozen=True, slots=True)
class Difference:
    """An attribute that most cases of a rival have otherwise than most of the leading diagnosis.

    ``value`` is what ``count`` of ``of`` cases have; ``leading`` and its counts likewise.
    """

    attribute: str
    value: str
    count: int
    of: int
    leading: str
    leading_count: int
    leading_of: int


@dataclass(frozen=True, slots=True)
class Rival:
    """A diagnosis with its nearest real cases; ``share`` is ``None`` where none is among the
    nearest of all. ``differs`` is empty for the leading one, and where nothing is known to differ.
    """

    diagnosis: str
    share: DiagnosisShare | None
    cases: tuple[CaseMatch, ...]
    differs: tuple[Difference, ...] = ()


def rivals_of(support: Support, catalog: Catalog, where: Where, find: Find) -> tuple[Rival, ...]:
    """The leading diagnosis first, then its rivals; empty where no diagnosis leads.

    Args:
        where: the query's filter; rivals are looked for within it.
    """
    shares = {share.diagnosis: share for share in support.shares if share.diagnosis}
    if not shares:
        return ()
    within = catalog.mask({**where, "origin": (Origin.REAL,)})
    named = list(shares)[: RIVALS + 1]
    of_each = {diagnosis: _of(catalog, diagnosis, within) for diagnosis in named}
    left = within & ~np.logical_or.reduce(list(of_each.values()))
    while len(named) <= _LEAST and left.any():
        diagnosis = next(iter(_diagnoses(find(1, left))), None)
        if diagnosis is None:
            break  # all that is left are the query's own cases
        told = _of(catalog, diagnosis, within) if diagnosis else _unnamed(catalog, left)
        if diagnosis:
            named.append(diagnosis)
            of_each[diagnosis] = told
        left &= ~told
    nearest = {diagnosis: find(COMPARED, of_each[diagnosis]) for diagnosis in named}
    leading = nearest[named[0]]
    return tuple(
        Rival(
            diagnosis,
            shares.get(diagnosis),
            tuple(nearest[diagnosis][:CASES]),
            differences(nearest[diagnosis], leading) if diagnosis != named[0] else (),
        )
        for diagnosis in named
    )


def differences(cases: Sequence[CaseMatch], leading: Sequence[CaseMatch]) -> tuple[Difference, ...]:
    """The attributes in which most cases differ from most of the leading ones, clearest first."""
    here, there = _values(cases), _values(leading)
    found = []
    for attribute in here.keys() & there.keys():
        value, count, of = _mode(here[attribute])
        other, other_count, other_of = _mode(there[attribute])
        told = min(of, other_of) * 2 >= min(len(cases), len(leading))
        clear = min(count / of, other_count / other_of) >= _MAJORITY
        if value != other and told and clear:
            found.append(Difference(attribute, value, count, of, other, other_count, other_of))
    return tuple(
        sorted(
            found, key=lambda d: (-(d.count / d.of + d.leading_count / d.leading_of), d.attribute)
        )
    )


def _of(catalog: Catalog, diagnosis: str, within: RowMask) -> RowMask:
    return catalog.mask({"diagnosis": (diagnosis,)}) & within


def _unnamed(catalog: Catalog, left: RowMask) -> RowMask:
    """Of those that are left, all without a diagnosis."""
    return left & ~catalog.mask({"diagnosis": tuple(catalog.values("diagnosis"))})


def _diagnoses(cases: Iterable[CaseMatch]) -> Iterable[str]:
    return (case.matches[0].image.diagnosis for case in cases)


def _values(cases: Iterable[CaseMatch]) -> dict[str, Counter[str]]:
    """Attribute → value → how many cases have it, by each case's nearest picture."""
    found: dict[str, Counter[str]] = {}
    for case in cases:
        image = case.matches[0].image
        # a finding is the diagnosis in other words: that it differs tells nothing
        told = dict(image.attributes) | {name: getattr(case.case, name) for name in _OF_CASE}
        for attribute, value in told.items():
            if value and attribute not in _UNTELLING:
                found.setdefault(attribute, Counter())[value] += 1
    return found


def _mode(values: Counter[str]) -> tuple[str, int, int]:
    value, count = max(values.items(), key=lambda item: (item[1], item[0]))
    return value, count, values.total()
