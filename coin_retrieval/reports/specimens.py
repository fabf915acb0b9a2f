"""Reports of several specimens: each is a question of its own.

The words of two specimens, embedded or drawn together, find the cells of neither.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from coin_retrieval.errors import ReportError
from coin_retrieval.reports.normalise import tidy
from coin_retrieval.reports.reading import read_closely
from coin_retrieval.reports.searched.asides import speaks_of_the_past
from coin_retrieval.reports.sites import names_a_specimen, procedure_book, sites_in
from coin_retrieval.reports.words import fold, tokenize

_START = r"(?:^|(?<=[.;:)])|\n|(?<=\s)(?=[A-H]\)))\s*"
_LABEL = re.compile(
    _START
    + r"(?P<label>(?P<word>specimens?|parts?|samples?|jars?|containers?|bottles?|tubes?)?\s*"
    + r"(?P<mark>[A-H]|[1-8]|I{1,3}|IV)\s?(?:[.):]|\s[-–—]))\s+(?=\S)",
    re.I,
)
_HEADING = re.compile(r"(?:^|[.;]|\n)[ \t]*([^.;:\n]{3,40})(?::\s*|\n\s*)\Z")
"""The label of a section, before the labels of the specimens in it; else a line of its own."""
_SENTENCE = re.compile(r"(?:^|(?<=[.;])|\n)\s*(?=[A-Z(])")
_ORDERS = ("ABCDEFGH", "12345678", ("I", "II", "III", "IV"))
_SUBJECT_WORDS = 5
"""What a sentence is about stands among its first words."""
_HEADER_WORDS = 10
_SHOWING = frozenset(map(fold, ("shows", "contains", "reveals", "yields", "consists")))
_LATERAL = frozenset({"left", "right"})


@dataclass(frozen=True, slots=True)
class Specimen:
    """One specimen of a report: what it is called, and all that the report says of it, tidied.

    What stands before the first specimen is said of each.
    """

    name: str
    text: str


class _Mark(NamedTuple):
    """Where a specimen's label stands; one that is part of what is said is empty."""

    name: str
    start: int
    end: int


def specimens(text: str | bytes) -> tuple[Specimen, ...]:
    """The specimens of a report that tells several apart; empty where it tells of one.

    They are told by labels in order ("A. Urine … B. Cervix …"), whose parts name a specimen, or by
    sentences that begin with different sites ("Urine: … Cervical smear: …"). Of each the report
    must affirm something. A conclusion by the same labels goes to their specimens.

    Raises:
        ReportError: as :func:`.tidy` does.
    """
    tidied = tidy(text)
    # line ends tell where a label may stand
    raw = text if isinstance(text, str) else tidied
    for marks in (_labelled(raw), _sited(raw)):
        found = tuple(_made_of(raw, marks))
        if len(found) > 1 and all(_says_something(one.text) for one in found):
            return found
    return ()


def _made_of(text: str, marks: Sequence[_Mark]) -> Iterator[Specimen]:
    """One specimen a name, its labels taken out."""
    said_of: dict[str, list[str]] = {}
    # what stands before the labels is said of each: a history, later the label of a section
    title = text[: marks[0].start] if marks else ""
    for mark, following in zip(marks, [*marks[1:], None], strict=False):
        said = text[mark.end : following.start if following else len(text)]
        next_title = title
        if following and following.name == marks[0].name:
            heading = _HEADING.search(said)
            next_title = f"{heading.group(1)}:" if heading else ""
            said = said[: heading.start(1)] if heading else said
        said_of.setdefault(mark.name, []).extend([title, said])
        title = next_title
    for name, parts in said_of.items():
        yield Specimen(name, tidy(" ".join(parts)))


def _labelled(text: str) -> list[_Mark]:
    found = list(_LABEL.finditer(text))
    for order in _ORDERS:
        own = [one for one in found if one["mark"].upper() in order]
        names = list(dict.fromkeys(one["mark"].upper() for one in own))
        first = own[: len(names)]
        if len(names) < 2 or names != list(order[: len(names)]):
            continue
        if [one["mark"].upper() for one in first] == names and all(
            one["word"] or _begins_with_a_specimen(text[one.end() :]) for one in first
        ):
            return [_Mark(one["mark"].upper(), one.start("label"), one.end()) for one in own]
    return []


def _begins_with_a_specimen(text: str) -> bool:
    tokens = tokenize(text)[:_HEADER_WORDS]
    return names_a_specimen(tokens) or tokens[0].key in _LATERAL if tokens else False


def _sited(text: str) -> list[_Mark]:
    """Sentences that begin with one site each, and more than one site in all."""
    marks: list[_Mark] = []
    starts = [m.end() for m in _SENTENCE.finditer(text)]
    for start, end in zip(starts, [*starts[1:], len(text)], strict=False):
        tokens = tokenize(text[start:end])
        colon = next((n for n, t in enumerate(tokens[:_HEADER_WORDS]) if t.key == ":"), None)
        subject = tokens[: _SUBJECT_WORDS if colon is None else colon]
        sites = sites_in(subject)
        # "Breast primary, metastatic" is no specimen of the breast
        is_one = colon is not None or any(True for _ in procedure_book().find(subject))
        is_one = is_one or any(token.key in _SHOWING for token in subject)
        if len(sites) == 1 and is_one and not speaks_of_the_past(tokens):
            marks.append(_Mark(sites.pop(), start, start))
    return marks if len({mark.name for mark in marks}) > 1 else []


def _says_something(text: str) -> bool:
    try:
        return bool(read_closely(text).searched.text)
    except ReportError:
        return False
