"""What is negated, doubted or past: cues and their scopes.

After NegEx (Chapman et al., J Biomed Inform 2001;34:301-310) and ConText (Harkema et al., J Biomed
Inform 2009;42:839-851), with rules for the lists of cytology reports. In doubt a scope is the
longer one: a category that is left out can be seen in the text, a negated one must not be coded.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial
from itertools import takewhile
from typing import NamedTuple

from coin_retrieval.reports.lexicons import load_contexts, phrase_book, word_keys
from coin_retrieval.reports.words import PhraseBook, Token

_book = partial(phrase_book, load_contexts)
_keys = partial(word_keys, load_contexts)

_LONGEST = 80
"""Words of a scope at most: no sentence is so long, but a list without full stops can be."""
_BREAKS = frozenset({".", ";", "-", "?."})
_LIST_WORDS = frozenset({"or", "nor"})
_JOINING_WORDS = frozenset({"or", "nor", "and"})


class Assertion(StrEnum):
    """How a phrase is meant; only what is affirmed is coded."""

    AFFIRMED = "affirmed"
    NEGATED = "negated"
    POSSIBLE = "possible"
    HISTORICAL = "historical"


# where scopes overlap, the one that denies most decides
_STRENGTH = (Assertion.NEGATED, Assertion.HISTORICAL, Assertion.POSSIBLE)


class Cue(NamedTuple):
    """What a cue does to which side of it."""

    assertion: Assertion
    forward: bool


@dataclass(frozen=True, slots=True)
class Scope:
    """Tokens ``start`` to ``end``, and the cue (its tokens) that changes their meaning."""

    assertion: Assertion
    cue_start: int
    cue_end: int
    start: int
    end: int


class _Ground(NamedTuple):
    """Where scopes must end: sections of tokens, cues, ends, and phrases that negate themselves.

    ``lists`` are the commas behind which a list goes on, ``claims`` those before a new claim.
    """

    tokens: Sequence[Token]
    sections: Sequence[int]
    cues: Collection[int]
    ends: Collection[int]
    affirming: Collection[int]
    walls: Collection[int]
    lists: Collection[int]
    claims: Collection[int]


class Contexts:
    """The scopes of all cues of a report.

    Args:
        sections: the section of each token; no scope leaves its section.
        owned: token ranges of phrases that contain their cue, such as "negative for malignancy":
            the cue acts on what follows the phrase only.
        walls: tokens of phrases that are negative themselves: scopes across a comma end there.
    """

    def __init__(
        self,
        tokens: Sequence[Token],
        sections: Sequence[int],
        *,
        owned: Sequence[tuple[int, int]] = (),
        walls: Collection[int] = (),
    ) -> None:
        found = list(_cue_book().find(tokens))
        cues = [(f.start, f.end, cue) for f in found for cue in f.meanings if cue is not None]
        ends = {f.start for f in _book("ends").find(tokens)}
        affirming = {f.start for f in _book("affirming").find(tokens)}
        marked = {place for start, end, _ in cues for place in range(start, end)}
        # once a comma, not once a cue and comma: a report may be full of both
        commas = [place for place, token in enumerate(tokens) if token.key == ","]
        lists = {n for n in commas if _LIST_WORDS & _keys_after(tokens, n, _BREAKS)}
        claims = {n for n in commas if _keys("claims") & _keys_after(tokens, n, _BREAKS | {","})}
        ground = _Ground(tokens, sections, marked, ends, affirming, walls, lists, claims)
        owner_end = {place: end for start, end in owned for place in range(start, end)}
        self.scopes: list[Scope] = []
        self._covering: dict[int, list[Scope]] = {}
        for start, end, cue in cues:
            owner = owner_end.get(start)
            scope = _scope(ground, start, end, cue, owner if owner and end <= owner else None)
            if scope.start < scope.end:
                self.scopes.append(scope)
                for place in range(scope.start, scope.end):
                    self._covering.setdefault(place, []).append(scope)

    def assertion_of(self, start: int, end: int) -> tuple[Assertion, Scope | None]:
        """How the phrase of these tokens is meant, and the scope that says so."""
        covering = [
            scope
            for place in range(start, end)
            for scope in self._covering.get(place, ())
            if not start <= scope.cue_start < end
        ]
        for assertion in _STRENGTH:
            for scope in covering:
                if scope.assertion is assertion:
                    return assertion, scope
        return Assertion.AFFIRMED, None


def _scope(ground: _Ground, start: int, end: int, cue: Cue, owner: int | None) -> Scope:
    if not cue.forward:
        reach = _backward(ground, start, cue.assertion) if owner is None else start
        return Scope(cue.assertion, start, end, reach, start)
    after = owner or end
    if owner and cue.assertion is Assertion.NEGATED:
        after = _past_apposition(ground.tokens, after)
    reach = _forward(ground, after, cue.assertion, owned=owner is not None)
    return Scope(cue.assertion, start, end, after, reach)


def _forward(ground: _Ground, start: int, assertion: Assertion, *, owned: bool) -> int:
    tokens, depth = ground.tokens, 0
    last = min(len(tokens), start + _LONGEST)
    for place in range(start, last):
        key = tokens[place].key
        outside = ground.sections[place] != ground.sections[start - 1] or key in _BREAKS
        # a colon just behind the cue is "negative for: HSIL"
        if outside or place in ground.ends or (key == ":" and place > start):
            return place
        ending = place in ground.walls or place in ground.affirming
        if ending and any(token.key == "," for token in tokens[start:place]):
            return place
        depth += (key == "(") - (key == ")")
        if depth < 0:
            return place
        comma = key == "," and depth == 0
        if comma and not _goes_on(ground, place, assertion, owned=owned):
            return place
    return last


def _goes_on(ground: _Ground, comma: int, assertion: Assertion, *, owned: bool) -> bool:
    """Whether a list goes on after a comma, rather than something new beginning."""
    if assertion is Assertion.HISTORICAL:
        return False
    if comma in ground.lists:
        return True
    if owned and assertion is Assertion.NEGATED:
        return False
    return comma not in ground.claims


def _backward(ground: _Ground, cue: int, assertion: Assertion) -> int:
    tokens, depth = ground.tokens, 0
    first = max(0, cue - _LONGEST)
    for place in range(cue - 1, first - 1, -1):
        key = tokens[place].key
        outside = ground.sections[place] != ground.sections[cue] or key in _BREAKS
        # a colon just before the cue is "HSIL: not seen"
        if outside or (key == ":" and place < cue - 1):
            return place + 1
        if any(place in stops for stops in ground[2:6]):
            return place + 1
        depth += (key == ")") - (key == "(")
        if depth < 0:
            return place + 1
        if key == "," and depth == 0:
            if assertion is not Assertion.NEGATED and not _joined(tokens[place:cue]):
                return place + 1
            part = _keys_before(tokens, place)
            if (_keys("claims") | _keys("presence")) & set(part):
                return place + 1
    return first


def _past_apposition(tokens: Sequence[Token], place: int) -> int:
    """Behind a bracket that only says the same again: "negative for malignancy (NFM)"."""
    if place < len(tokens) and tokens[place].key == "(":
        for end in range(place, min(len(tokens), place + _LONGEST)):
            if tokens[end].key == ")":
                return end + 1
    return place


def _joined(tokens: Sequence[Token]) -> bool:
    return any(token.key in _JOINING_WORDS for token in tokens)


def _keys_after(tokens: Sequence[Token], comma: int, marks: Collection[str]) -> set[str]:
    """What stands between a comma and the next of the marks."""
    after = (token.key for token in tokens[comma + 1 : comma + 1 + _LONGEST])
    return set(takewhile(lambda key: key not in marks, after))


def _keys_before(tokens: Sequence[Token], comma: int) -> list[str]:
    keys: list[str] = []
    for token in reversed(tokens[max(0, comma - _LONGEST) : comma]):
        if token.key in _BREAKS or token.key == ",":
            break
        keys.append(token.key)
    return keys


@cache
def _cue_book() -> PhraseBook[Cue | None]:
    words = load_contexts()
    book: PhraseBook[Cue | None] = PhraseBook()
    for assertion in _STRENGTH:
        cues = getattr(words, assertion.value)
        for pattern in cues.before:
            book.add(pattern, Cue(assertion, forward=True))
        for pattern in cues.after:
            book.add(pattern, Cue(assertion, forward=False))
    for pattern in words.none:
        book.add(pattern, None)
    return book
