"""Whether a report is in words that the program knows: its language, its script, unknown words."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

from coin_retrieval.language.spelling import Correction, Offer, corrected
from coin_retrieval.language.vocabulary import WORD, is_known
from coin_retrieval.reports.words import Span

_LEAST_LETTERS = 3
_MOST_UNKNOWN = 1 / 3
_LEAST_UNKNOWN = 3
_SCRIPTS = {
    "CJK": "Chinese or Japanese",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HANGUL": "Korean",
    "CYRILLIC": "Russian or another language in Cyrillic letters",
    "ARABIC": "Arabic or another language in Arabic letters",
    "GREEK": "Greek",
    "HEBREW": "Hebrew",
    "DEVANAGARI": "Hindi or another language in Devanagari",
    "THAI": "Thai",
}
# the commonest words of a language that are none of English or of another language here
_COMMON = {
    "English": "the of and with is are was in to from this that there which no not or by on an for",
    "Spanish": "el los las del y con una por para es son sin que muy no de la en se",
    "Portuguese": "o os das dos do da e com uma por para são não sem que ou de na no em",
    "French": "le les des du et avec une dans est sont sans pas au aux évoquant de la en",
    "German": "der die das und mit vom von nicht kein keine ist sind ein eine im zum am bei ohne",
    "Italian": "il lo gli della del e con una di per che non sono nel senza alla in da",
    "Dutch": "de het een en met van niet geen zijn is voor bij op zonder in te",
    "Polish": "i w z na nie jest są bez oraz do się od po",
}
_LEAST_COMMON = 2


@dataclass(frozen=True, slots=True)
class Understanding:
    """How far a report's words are known.

    ``language`` is what it is written in, as far as that can be told; empty for English and where
    nothing tells. ``unknown`` are words that neither the program nor its text tower has met, of
    ``words`` in all. ``text`` is the report with its misspelt words corrected.
    """

    text: str
    language: str
    words: int
    unknown: tuple[Span, ...]
    corrections: tuple[Correction, ...] = ()
    offers: tuple[Offer, ...] = ()

    @property
    def is_understood(self) -> bool:
        """Whether the answer can rest on the words."""
        share = len(self.unknown) / max(1, self.words)
        return not self.language and (len(self.unknown) < _LEAST_UNKNOWN or share < _MOST_UNKNOWN)

    @property
    def notices(self) -> tuple[str, ...]:
        """That the report is not understood, and why; none where it is."""
        if self.is_understood:
            return ()
        what = (
            f"This report seems to be written in {self.language}, and only English is understood"
            if self.language
            else f"Of this report {len(self.unknown)} of {self.words} words are not known"
        )
        return (f"{what}: what follows may have nothing to do with it",)


def understand(text: str, *, as_written: bool = False) -> Understanding:
    """A tidied report with what is unknown in it; ``as_written`` corrects nothing."""
    language = _language(text)
    if as_written or language:
        counted = [match for match in WORD.finditer(text) if _counts(match.group())]
        return Understanding(text, language, len(counted), _unknown(counted))
    spelling = corrected(text)
    counted = [match for match in WORD.finditer(spelling.text) if _counts(match.group())]
    return Understanding(
        text=spelling.text,
        language="",
        words=len(counted),
        unknown=_unknown(counted),
        corrections=spelling.corrections,
        offers=spelling.offers,
    )


def _counts(word: str) -> bool:
    """Abbreviations in capitals are no words of a language."""
    return len(word) >= _LEAST_LETTERS and not word.isupper()


def _unknown(words: list[re.Match[str]]) -> tuple[Span, ...]:
    return tuple(
        Span(match.start(), match.end(), match.group())
        for match in words
        if not is_known(match.group())
    )


def _language(text: str) -> str:
    letters = [c for c in text if c.isalpha()]
    scripts = Counter(unicodedata.name(c, "").split(" ")[0] for c in letters)
    foreign = {name: n for name, n in scripts.items() if name in _SCRIPTS}
    if foreign and sum(foreign.values()) * 2 > len(letters):
        return _SCRIPTS[max(foreign, key=lambda name: foreign[name])]
    words = Counter(word.casefold() for word in WORD.findall(text))
    common = {
        language: sum(words[word] for word in set(known.split()))
        for language, known in _COMMON.items()
    }
    likeliest = max(common, key=lambda language: common[language])
    if likeliest == "English" or common[likeliest] < _LEAST_COMMON:
        return ""
    return likeliest if common[likeliest] > 2 * common["English"] else ""
