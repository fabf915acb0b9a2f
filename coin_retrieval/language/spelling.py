"""Misspelt words of cytology: corrected in the open where one word alone can be meant."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from rapidfuzz import process
from rapidfuzz.distance import OSA

from coin_retrieval.language.vocabulary import WORD, english, field_words, is_known
from coin_retrieval.reports.words import Span, fold

_LEAST_LETTERS = 5
_TWO_ERRORS_FROM = 7
_CLEARLY_MORE_FREQUENT = 10
"""Of two words that are as near, one this much more frequent is meant."""
_LEAST_OFTEN, _LEAST_OFTEN_IN_ENGLISH = 4, 10
"""Rarer words of the wordings are hardly meant; common English ones only if cytology uses them."""
_OPPOSITES = (
    ("hypo", "hyper"),
    ("ortho", "para"),
    ("intra", "inter"),
    ("micro", "macro"),
    ("endo", "ecto"),
    ("endo", "exo"),
    ("iso", "aniso"),
    ("mono", "multi"),
)
_PREFIXES = tuple(prefix for pair in _OPPOSITES for prefix in pair)


@dataclass(frozen=True, slots=True)
class Correction:
    """A word that was read as another; ``span`` is where it stands in the corrected report."""

    span: Span
    written: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A word of the report that stays as it is, and what may have been meant by it."""

    span: Span
    meant: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Spelling:
    """A report with its misspelt words corrected."""

    text: str
    corrections: tuple[Correction, ...]
    offers: tuple[Offer, ...]


def corrected(text: str) -> Spelling:
    """Correct what is misspelt: never a word that is known, nor a code, nor where two words tie.

    Distances are of optimal string alignment: letters left out, doubled, changed or turned round,
    one in words of five or six letters, two in longer ones. Whatever could be the opposite of what
    was meant ("hypo-" and "hyper-") is offered only.
    """
    parts: list[str] = []
    corrections: list[Correction] = []
    offers: list[Offer] = []
    end = shift = 0
    for match in WORD.finditer(text):
        written = match.group()
        if not _may_be_misspelt(text, match.start(), match.end()):
            continue
        meant = _meant(written.casefold())
        start = match.start() + shift
        if len(meant) == 1:
            word = _cased(meant[0], written)
            parts += [text[end : match.start()], word]
            end = match.end()
            shift += len(word) - len(written)
            corrections.append(Correction(Span(start, start + len(word), word), written))
        elif meant:
            offers.append(Offer(Span(start, start + len(written), written), meant))
    return Spelling("".join([*parts, text[end:]]), tuple(corrections), tuple(offers))


def _may_be_misspelt(text: str, start: int, end: int) -> bool:
    """Words alone: no code, no part of one, and nothing that is known."""
    word = text[start:end]
    beside = text[max(0, start - 1) : start] + text[end : end + 1]
    if len(word) < _LEAST_LETTERS or not word.isascii() or any(c.isdigit() for c in beside):
        return False
    return word[1:].islower() and not is_known(word)


@lru_cache(maxsize=4096)
def _meant(word: str) -> tuple[str, ...]:
    """The words that may be meant by an unknown one: one, or all that are as near."""
    most = 2 if len(word) >= _TWO_ERRORS_FROM else 1
    words = field_words()
    found = process.extract(fold(word), _keys(), scorer=OSA.distance, score_cutoff=most, limit=None)
    found = [
        one
        for one in found
        if words[one[0]][1] >= (_LEAST_OFTEN_IN_ENGLISH if one[0] in english() else _LEAST_OFTEN)
        # a first letter is seldom wrong, and "anuclear" is not "nuclear"
        and one[0][0] == word[0]
    ]
    least = min((distance for _, distance, _ in found), default=0)
    near = [key for key, distance, _ in found if distance == least]
    ranked = sorted(near, key=lambda key: -words[key][1])[:3]
    if not ranked:
        return ()
    opposites = [other for key in ranked for other in _opposites(key)]
    doubtful = any(_prefix(key) and not word.startswith(_prefix(key)) for key in ranked)
    if doubtful and opposites:
        return tuple(words[key][0] for key in dict.fromkeys([*ranked, *opposites]))
    first, *others = (words[key][1] for key in ranked)
    if not others or first >= _CLEARLY_MORE_FREQUENT * others[0]:
        return (words[ranked[0]][0],)
    return tuple(words[key][0] for key in ranked)


def _prefix(word: str) -> str:
    return next((prefix for prefix in _PREFIXES if word.startswith(prefix)), "")


def _opposites(key: str) -> list[str]:
    """Known words that say the opposite by their prefix."""
    return [
        other + key.removeprefix(one)
        for pair in _OPPOSITES
        for one, other in (pair, pair[::-1])
        if key.startswith(one) and other + key.removeprefix(one) in field_words()
    ]


@lru_cache(maxsize=1)
def _keys() -> list[str]:
    return [key for key in field_words() if len(key) >= _LEAST_LETTERS - 1]


def _cased(word: str, written: str) -> str:
    return word.capitalize() if written[0].isupper() else word
