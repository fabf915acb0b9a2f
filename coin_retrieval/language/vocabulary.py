"""The words that the program knows: of its wordings and lexicons, and of the text tower."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import chain
from operator import itemgetter
from typing import Any

from coin_retrieval.errors import MissingDependencyError, WeightsError
from coin_retrieval.reports.lexicons import load_sites
from coin_retrieval.reports.terminology import category_book
from coin_retrieval.reports.words import fold
from coin_retrieval.starter import minilm

WORD = re.compile(r"[^\W\d_]+")
_TERM = 4
"""A word of the reader's lexicons weighs as much as one that wordings use so often."""
_ENDINGS = ("ed", "d", "ing", "er", "ly", "al", "es", "e", "y")
_LEAST_STEM = 4


@cache
def english() -> frozenset[str]:
    """Whole words among the pieces that the starter's text tower was trained with, folded.

    They are the most frequent words of its English texts (Devlin et al., NAACL 2019, WordPiece):
    where the tower splits a word into pieces, it has hardly met it.
    """
    try:
        pieces = (minilm.directory() / "vocab.txt").read_text(encoding="utf-8").split()
    except (MissingDependencyError, WeightsError, OSError):
        return frozenset()
    return frozenset(fold(piece) for piece in pieces if piece.isalpha())


@cache
def field_words() -> Mapping[str, tuple[str, int]]:
    """Words of cytology by their folded form: how they are written most, and how often.

    They come from the wordings that the models are trained on, and from the reader's lexicons.
    """
    # each word is folded once, however often it is written
    written: dict[str, list[tuple[int, str]]] = {}
    for word, times in _of_wordings().items():
        written.setdefault(fold(word), []).append((times, word))
    found = {
        key: (max(words, key=itemgetter(0))[1], sum(times for times, _ in words))
        for key, words in written.items()
    }
    # the reader's words are folded already: others are written as they should be
    return {fold(word): (word, _TERM) for word in set(_of_lexicons())} | found


def is_known(word: str) -> bool:
    """Whether the program or its text tower has met a word, or what it is derived from."""
    key = fold(word)
    return any(form in english() or form in field_words() for form in (key, *_stems(key)))


def _stems(key: str) -> Iterator[str]:
    for ending in _ENDINGS:
        if key.endswith(ending) and len(key) - len(ending) >= _LEAST_STEM:
            stem = key.removesuffix(ending)
            yield from (stem, stem + "e", stem + "a")
            if stem[-1] == stem[-2]:
                yield stem[:-1]


def _of_wordings() -> Counter[str]:
    # only where a word is asked about: a client of a server reads no tables
    from coin_retrieval.wordings.captions import (
        english_reports,
        load_lexicon,
        reports_from_elsewhere,
    )

    # a Spanish word may be an English one misspelt
    texts = chain(
        chain.from_iterable(english_reports().values()),
        reports_from_elsewhere(),
        _strings(load_lexicon().model_dump()),
    )
    return Counter(chain.from_iterable(WORD.findall(text.casefold()) for text in texts))


def _of_lexicons() -> Iterator[str]:
    for word in category_book().words():
        yield from [word.removeprefix("=").casefold()] if word.isalpha() else []
    for site in load_sites().sites.values():
        for phrase in (*site.phrases, *site.implied_by):
            yield from (word.casefold() for word in WORD.findall(phrase))


def _strings(part: Any) -> Iterator[str]:
    if isinstance(part, str):
        yield part
    elif isinstance(part, Mapping):
        for key, value in part.items():
            yield from _strings(key)
            yield from _strings(value)
    elif isinstance(part, tuple | list):
        for value in part:
            yield from _strings(value)
