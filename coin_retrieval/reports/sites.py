"""Where cells come from and how they were taken, as far as a report says so.

A site in the header comes before all others; a named one before one that a procedure implies; one
beside a procedure or in the first sentence before one elsewhere; a special one before its general.
A site that is negated, past, or a tumour's origin ("metastatic breast carcinoma") is none. Two
sites of one rank leave it open: unknown stays unknown.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import NamedTuple

from coin_retrieval.reports.contexts import Assertion, Contexts
from coin_retrieval.reports.lexicons import load_sites, phrase_book, word_keys
from coin_retrieval.reports.words import Occurrence, PhraseBook, Span, Token, span_of

_book = partial(phrase_book, load_sites)
_keys = partial(word_keys, load_sites)

_HEADER, _NEAR, _ELSEWHERE = 2, 1, 0
_VAGUE = frozenset({"aspiration", "smear", "cell block", "washing", "brushing"})
_WORDS_TO_ORIGIN = 4
_WORDS_TO_PROCEDURE = 4


class _Naming(NamedTuple):
    site: str
    named: bool


@dataclass(frozen=True, slots=True)
class Named:
    """A site or procedure, and the phrase that names it."""

    name: str
    span: Span


class _Candidate(NamedTuple):
    rank: tuple[bool, bool, int]
    site: str
    found: Occurrence[_Naming]


def find_site(
    text: str,
    tokens: Sequence[Token],
    contexts: Contexts,
    *,
    header: Sequence[bool],
    history: Sequence[bool],
    others: Collection[int] = (),
) -> Named | None:
    """The site a report is about, if it names one and no other of the same rank.

    Args:
        header, history: whether each token stands in a header, or in the patient's history.
        others: tokens that speak of another person, or of what is still to be done.
    """
    candidates = _candidates(tokens, contexts, header, history, others)
    if not candidates:
        return None
    best = max(c.rank for c in candidates)
    leading = [c for c in candidates if c.rank == best]
    general = {load_sites().sites[c.site].part_of for c in leading}
    sites = {c.site for c in leading} - general
    if len(sites) != 1:
        return None
    chosen = next(c for c in leading if c.site in sites)
    return Named(chosen.site, span_of(text, tokens, chosen.found.start, chosen.found.end))


def find_procedure(
    text: str,
    tokens: Sequence[Token],
    contexts: Contexts,
    *,
    header: Sequence[bool],
    history: Sequence[bool],
) -> Named | None:
    """How the cells were taken: the first procedure of the header, else of the text."""
    found = [
        f
        for f in procedure_book().find(tokens)
        if not history[f.start] and contexts.assertion_of(f.start, f.end)[0] is Assertion.AFFIRMED
    ]
    if not found:
        return None
    # "pleural aspirate, FNA": of two in the header the one that says more
    first = max(found, key=lambda f: (header[f.start], f.meanings[0] not in _VAGUE, -f.start))
    return Named(first.meanings[0], span_of(text, tokens, first.start, first.end))


def names_a_specimen(tokens: Sequence[Token]) -> bool:
    """Whether a clause names a site or a procedure, as a header does."""
    return any(True for _ in _namings(tokens)) or any(True for _ in procedure_book().find(tokens))


def sites_in(tokens: Sequence[Token]) -> set[str]:
    """All sites that are named, in whatever way."""
    return {found.meanings[0].site for found in _namings(tokens)}


def _candidates(
    tokens: Sequence[Token],
    contexts: Contexts,
    header: Sequence[bool],
    history: Sequence[bool],
    others: Collection[int],
) -> list[_Candidate]:
    first_end = next((n for n, t in enumerate(tokens) if t.key == "."), len(tokens))
    procedures = {n for f in procedure_book().find(tokens) for n in range(f.start, f.end)}
    candidates = []
    for found in _namings(tokens):
        assertion, _ = contexts.assertion_of(found.start, found.end)
        if assertion in (Assertion.NEGATED, Assertion.HISTORICAL) or found.start in others:
            continue
        if header[found.start]:
            level = _HEADER
        elif _is_origin(tokens, found):
            continue
        elif history[found.start]:
            level = _ELSEWHERE
        elif found.start < first_end or _beside(tokens, found, procedures):
            level = _NEAR
        else:
            level = _ELSEWHERE
        if level == _HEADER and _is_metastatic(tokens, found):
            continue
        naming = found.meanings[0]
        candidates.append(_Candidate((level == _HEADER, naming.named, level), naming.site, found))
    return candidates


def _namings(tokens: Sequence[Token]) -> Iterator[Occurrence[_Naming]]:
    """Where sites are named; not "kidney-shaped", nor "breast feeding"."""
    for found in _site_book().find(tokens):
        follower = tokens[found.end].key if found.end < len(tokens) else ""
        if found.meanings[0].site and follower not in _keys("not_behind"):
            yield found


def _is_origin(tokens: Sequence[Token], found: Occurrence[_Naming]) -> bool:
    origins = _keys("origins")
    for token in tokens[found.end : found.end + _WORDS_TO_ORIGIN]:
        if not token.is_word:
            break
        if token.key in origins:
            return True
    return _is_metastatic(tokens, found)


def _is_metastatic(tokens: Sequence[Token], found: Occurrence[_Naming]) -> bool:
    first = max(0, found.start - _WORDS_TO_ORIGIN)
    return any(
        before is not None and before.end == found.start
        for before in (_book("origin_before").at(tokens, n) for n in range(first, found.start))
    )


def _beside(tokens: Sequence[Token], found: Occurrence[_Naming], procedures: set[int]) -> bool:
    for step, edge in ((1, found.end - 1), (-1, found.start)):
        for distance in range(_WORDS_TO_PROCEDURE + 1):
            place = edge + step * distance
            if not 0 <= place < len(tokens) or not tokens[place].is_word:
                break
            if place in procedures:
                return True
    return False


@cache
def _site_book() -> PhraseBook[_Naming]:
    book: PhraseBook[_Naming] = PhraseBook()
    for site, words in load_sites().sites.items():
        for pattern in words.phrases:
            book.add(pattern, _Naming(site, named=True))
        for pattern in words.implied_by:
            book.add(pattern, _Naming(site, named=False))
    for pattern in load_sites().not_sites:
        book.add(pattern, _Naming("", named=False))
    return book


@cache
def procedure_book() -> PhraseBook[str]:
    """How cells are taken."""
    book: PhraseBook[str] = PhraseBook()
    for name, patterns in load_sites().procedures.items():
        for pattern in patterns:
            book.add(pattern, name)
    return book
