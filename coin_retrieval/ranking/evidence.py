"""Which cases of a ranking are independent evidence, and which repeat one before. Pure functions.

Two slides of a patient, two fields of a slide and two copies of a picture say one thing once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from coin_retrieval.types import CaseMatch

Unit = Literal["patient", "slide", "case"]
"""What independent evidence is counted by: the coarsest identity that all of it has."""

Because = Literal["patient", "slide", "picture"]


@dataclass(frozen=True, slots=True)
class Repetition:
    """``of`` is the case whose evidence is repeated, ``because`` what both have in common."""

    of: str
    because: Because


def repetitions(
    cases: Sequence[CaseMatch], ties: Iterable[tuple[str, str]], own: Sequence[CaseMatch] = ()
) -> dict[str, Repetition]:
    """Cases that repeat an earlier one, by their ids, through however many others.

    Args:
        cases: nearest first.
        ties: pairs of cases of which one has a picture that repeats, or overlaps, the other's.
        own: the query's own cases, which stand before all others.
    """
    ordered = [*own, *cases]
    place = {case.case.case_id: number for number, case in enumerate(ordered)}
    tied: dict[str, list[tuple[str, str]]] = {}
    for pair in ties:
        for case_id in pair:
            tied.setdefault(case_id, []).append(pair)
    root: dict[str, str] = {}
    because: dict[str, Because] = {}
    holder: dict[object, str] = {}

    def first(case_id: str) -> str:
        while root[case_id] != case_id:
            case_id = root[case_id]
        return case_id

    for case_id, case in zip(place, ordered, strict=True):
        root[case_id] = case_id
        for why, key in _identities(case, tied.get(case_id, ())):
            one, other = first(holder.setdefault((why, key), case_id)), first(case_id)
            if one != other:
                earlier, later = sorted((one, other), key=place.__getitem__)
                root[later], because[later] = earlier, why
    return {case_id: Repetition(first(case_id), why) for case_id, why in because.items()}


def pieces(
    cases: Sequence[CaseMatch], repeated: Mapping[str, Repetition], own: Iterable[str] = ()
) -> list[list[CaseMatch]]:
    """The independent pieces of evidence, nearest first, each with all cases that tell of it.

    What repeats one of the query's ``own`` cases is none.
    """
    found: dict[str, list[CaseMatch]] = {}
    for case in cases:
        case_id = case.case.case_id
        of = repeated[case_id].of if case_id in repeated else case_id
        found.setdefault(of, []).append(case)
    mine = set(own)
    return [piece for of, piece in found.items() if of not in mine]


def unit_of(evidence: Iterable[Sequence[CaseMatch]]) -> Unit:
    """What pieces of evidence are counted by: patients, else slides, else cases."""
    leads = [piece[0] for piece in evidence]
    if leads and all(case.case.patient_id for case in leads):
        return "patient"
    if leads and all(case.case.patient_id or case.matches[0].image.slide_id for case in leads):
        return "slide"
    return "case"


def _identities(
    case: CaseMatch, ties: Iterable[tuple[str, str]]
) -> Iterator[tuple[Because, object]]:
    if case.case.patient_id:
        yield "patient", case.case.patient_id
    for slide in dict.fromkeys(match.image.slide_id for match in case.matches):
        if slide:
            yield "slide", slide
    for pair in ties:
        yield "picture", frozenset(pair)
