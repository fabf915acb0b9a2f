"""Categories of reporting systems in a report: which phrases mean one, and which of them count.

A phrase means a category of a system only where the report's site is one of the system's; without a
site only if no other system has the phrase. Of what is affirmed the conclusion counts, else the
findings, else the comment. The patient's history and advice never count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coin_retrieval.reports.contexts import Assertion, Contexts, Scope
from coin_retrieval.reports.sections import SectionKind
from coin_retrieval.reports.terminology import Holds, Meaning, category_book
from coin_retrieval.reports.words import Occurrence, Span, Token, span_of, tokenize
from coin_retrieval.types import DiagnosisCode

_TIERS = (
    (SectionKind.CONCLUSION,),
    (SectionKind.HEADER, SectionKind.BODY, SectionKind.FINDINGS, SectionKind.ADEQUACY),
    (SectionKind.COMMENT,),
)


@dataclass(frozen=True, slots=True)
class Mention:
    """A phrase that means a category, how it is meant, and the cue that says so.

    ``coded`` tells whether the report's codes have it.
    """

    code: DiagnosisCode
    name: str
    span: Span
    assertion: Assertion
    cue: Span | None = None
    coded: bool = False


@dataclass(frozen=True, slots=True)
class _Candidate:
    found: Occurrence[Meaning]
    meaning: Meaning
    part: SectionKind


@dataclass(frozen=True, slots=True)
class CategoryPhrase:
    """Tokens ``start`` to ``end`` mean a category, or could at another site.

    ``negative``: one that says what is not there; ``by_name``: in the words of its own name.
    """

    start: int
    end: int
    negative: bool
    by_name: bool


@dataclass(frozen=True, slots=True)
class Categories:
    """The mentions of a report in order, the scopes that decided on them, and all phrases."""

    mentions: tuple[Mention, ...]
    scopes: tuple[Scope, ...]
    phrases: tuple[CategoryPhrase, ...]


def find_categories(
    text: str,
    tokens: Sequence[Token],
    sections: Sequence[int],
    parts: Sequence[SectionKind],
    *,
    site: str,
) -> Categories:
    """All categories that a report mentions, affirmed or not.

    Args:
        sections, parts: the section of each token, and what it is.
        site: the report's site; empty if unknown.
    """
    concluded = SectionKind.CONCLUSION in parts
    found = list(category_book().find(tokens))
    candidates = [
        _Candidate(f, meaning, parts[f.start])
        for f in found
        if (meaning := _meaning(f, parts[f.start], site, concluded=concluded)) is not None
    ]
    contexts = Contexts(
        tokens,
        sections,
        owned=[(c.found.start, c.found.end) for c in candidates],
        walls={
            n for c in candidates if c.meaning.negative for n in range(c.found.start, c.found.end)
        },
    )
    judged = [(c, *contexts.assertion_of(c.found.start, c.found.end)) for c in candidates]
    affirmed = [c for c, assertion, _ in judged if assertion is Assertion.AFFIRMED]
    counting = _counting(affirmed)
    mentions = tuple(
        Mention(
            code=c.meaning.code,
            name=c.meaning.name,
            span=span_of(text, tokens, c.found.start, c.found.end),
            assertion=assertion,
            cue=span_of(text, tokens, scope.cue_start, scope.cue_end) if scope else None,
            coded=c in counting,
        )
        for c, assertion, scope in judged
    )
    phrases = tuple(_phrase(tokens, f, site) for f in found)
    return Categories(mentions, tuple(contexts.scopes), phrases)


def _phrase(tokens: Sequence[Token], found: Occurrence[Meaning], site: str) -> CategoryPhrase:
    fitting = [m for m in found.meanings if not site or site in m.sites]
    keys = [token.key for token in tokens[found.start : found.end]]
    return CategoryPhrase(
        found.start,
        found.end,
        negative=any(m.negative for m in found.meanings),
        by_name=any(keys == [t.key for t in tokenize(m.name)] for m in fitting),
    )


def _meaning(
    found: Occurrence[Meaning], part: SectionKind, site: str, *, concluded: bool
) -> Meaning | None:
    """What a phrase means here, if it means one thing."""
    meanings = found.meanings
    if site:
        fitting = [m for m in meanings if site in m.sites]
    elif len({m.code.system for m in meanings}) == 1:
        fitting = [m for m in meanings if m.holds is Holds.ANYWHERE]
    else:
        fitting = []
    if part is not SectionKind.CONCLUSION and concluded:
        fitting = [m for m in fitting if m.holds is not Holds.IN_CONCLUSION]
    return fitting[0] if len({m.code for m in fitting}) == 1 else None


def _counting(affirmed: Sequence[_Candidate]) -> list[_Candidate]:
    additive = [
        c for c in affirmed if c.meaning.additive and any(c.part in tier for tier in _TIERS)
    ]
    for tier in _TIERS:
        here = [c for c in affirmed if c.part in tier and not c.meaning.additive]
        if here:
            return here + additive
    return additive
