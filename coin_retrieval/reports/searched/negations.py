"""What a report denies, for searching: cues and the words they reach.

After NegEx (Chapman et al., J Biomed Inform 2001;34:301-310) and ConText (Harkema et al., J Biomed
Inform 2009;42:839-851). Unlike the scopes of :mod:`coin_retrieval.reports.contexts`, which serve
coding and are long in doubt, these end at a comma unless a list goes on over it: each word that is
cut without need is lost to the search. What a cell is described by not having is no denial.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache, partial

from coin_retrieval.reports.lexicons import book_of, load_affirmed, phrase_book, word_keys
from coin_retrieval.reports.searched.clauses import STRONG, Run, is_within_a_word
from coin_retrieval.reports.sites import names_a_specimen
from coin_retrieval.reports.words import Occurrence, PhraseBook, Token

_book = partial(phrase_book, load_affirmed)
_keys = partial(word_keys, load_affirmed)

_LIST_WORDS = frozenset({"or", "nor"})
_JOINING = _LIST_WORDS | {"and"}
_BRACKETS = frozenset({"(", ")"})
_ITEM_WORDS = 5
"""Words of an item of a list at most; more than that says something of its own."""


class _Side(Enum):
    BEFORE = "before"
    BESIDE = "beside"
    AFTER = "after"
    WITHIN = "within"
    CLOSING = "closing"
    ANSWER = "answer"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Denial:
    """Tokens ``start`` to ``end`` are denied by a cue, which is among them."""

    start: int
    end: int
    cue: Run


class Denials:
    """Finds what is denied in a report.

    Args:
        sections: the section of each token; nothing reaches out of its section.
        findings: tokens of phrases that mean a category of a reporting system.
        names: tokens of phrases that are the name of a category, such as "negative for
            intraepithelial lesion or malignancy": no cue stands in them.
    """

    def __init__(
        self,
        tokens: Sequence[Token],
        sections: Sequence[int],
        *,
        findings: Collection[int],
        names: Collection[int],
    ) -> None:
        self._tokens = tokens
        self._sections = sections
        self._findings = findings
        self._names = names
        self._ends = {found.start for found in _book("ends").find(tokens)}
        self._cues = [
            (found.start, found.end, self._side(found))
            for found in _cues().find(tokens)
            if not {*range(found.start, found.end)} & set(names)
        ]
        self._of_cues = {
            place
            for start, end, side in self._cues
            if side is not _Side.NONE
            for place in range(start, end)
        }

    def __iter__(self) -> Iterator[Denial]:
        for start, end, side in self._cues:
            cue = Run(start, end)
            if side is _Side.NONE:
                continue
            answer = self._answered(cue)
            if answer is not None:
                if not self._describes(range(answer, start)):
                    yield Denial(answer, end, cue)
                continue
            if side is _Side.ANSWER:
                continue
            first, last = start, end
            if side in (_Side.AFTER, _Side.WITHIN, _Side.CLOSING):
                first = self._backward(start)
            last = self._forward(end, counts=side is _Side.BEFORE)
            if side is _Side.BESIDE:
                last = self._next_words(end, last)
            if side in (_Side.BEFORE, _Side.BESIDE) and last == end:
                continue
            if side is _Side.CLOSING and (
                first == start or names_a_specimen(self._tokens[first:start])
            ):
                continue  # "Negative", "LBC neg": a result, which denies nothing by name
            if not self._describes((*range(first, start), *range(end, last))):
                yield Denial(first, last, cue)

    def _side(self, found: Occurrence[_Side]) -> _Side:
        """What a cue denies here: "lacking nucleoli" what follows, "nucleoli lacking" the other."""
        side = found.meanings[0]
        bare = found.end - found.start == 1
        if side is _Side.CLOSING:
            last = found.end == len(self._tokens) or not self._tokens[found.end].is_word
            return side if last else _Side.NONE
        if side is _Side.AFTER and bare and found.end < len(self._tokens):
            follower = self._tokens[found.end]
            if follower.is_word and follower.key not in word_keys(
                load_affirmed, "after_participles"
            ):
                return _Side.BEFORE
        return side

    def _next_words(self, start: int, last: int) -> int:
        """What a comparison denies: "instead of [a circle] the clearing is a streak"."""
        for place in range(start + 1, min(last, start + _ITEM_WORDS)):
            if self._tokens[place].key in ("a", "an", "the"):
                return place
        return min(last, start + _ITEM_WORDS)

    def _answered(self, cue: Run) -> int | None:
        """Where the statement begins that "?", ":" or "-" and this cue alone deny."""
        tokens = self._tokens
        if cue.start < 2 or tokens[cue.start - 1].key not in ("?.", "?", ":", "-"):
            return None
        if [tokens[place].key for place in range(*cue)] not in _answers():
            return None
        if cue.end < len(tokens) and tokens[cue.end].is_word:
            return None
        return self._backward(cue.start - 1)

    def _stops(self, place: int, beside: int) -> bool:
        """Whether no scope goes over this token, coming from the one ``beside`` it."""
        key = self._tokens[place].key
        return (
            self._sections[place] != self._sections[beside]
            or place in self._names
            or (key in STRONG | {":", "-"} and not is_within_a_word(self._tokens, place))
        )

    def _forward(self, start: int, *, counts: bool) -> int:
        """How far a cue reaches behind it; ``counts``: a list may go on over commas."""
        tokens, depth, place = self._tokens, 0, start
        # "negative for: HSIL"
        if place < len(tokens) and tokens[place].key == ":" and counts:
            place += 1
        listed = counts and place > 0 and tokens[place - 1].key == ":"
        while place < len(tokens):
            key = tokens[place].key
            if self._stops(place, start - 1) or (place in self._ends and place > start):
                break
            depth += (key == "(") - (key == ")")
            if depth < 0:
                break
            if place in self._of_cues and place > start and key not in _JOINING | {"nor"}:
                break
            listing = listed or (counts and key == "," and self._list_goes_on(start, place))
            if key == "," and not depth and not listing:
                break
            if key == "and" and not depth and self._describes_anew(start, place):
                break
            place += 1
        while place > start and tokens[place - 1].key in _JOINING | {","}:
            place -= 1
        return place

    def _list_goes_on(self, start: int, comma: int) -> bool:
        """Whether a list goes on after a comma: over short items up to "or", or of categories."""
        tokens = self._tokens
        if comma + 1 in self._findings and comma - 1 in self._findings:
            return not self._is_present(comma + 1)
        item = 0
        for place in range(comma + 1, len(tokens)):
            key = tokens[place].key
            if self._stops(place, comma) or key in _BRACKETS or place in self._of_cues - self._ors:
                return False
            if key in _LIST_WORDS:
                return True
            if key in _keys("verbs") or item > _ITEM_WORDS:
                return False
            item = 0 if key == "," else item + 1
        return False

    def _is_present(self, start: int) -> bool:
        """Whether a category is there by itself: "no Trichomonas, Candida present"."""
        for place in range(start, len(self._tokens)):
            key = self._tokens[place].key
            if self._stops(place, start) or key == "," or key in _JOINING:
                return False
            if key == "present":
                return True
        return False

    @property
    def _ors(self) -> set[int]:
        return {place for place in self._of_cues if self._tokens[place].key == "nor"}

    def _describes_anew(self, start: int, joint: int) -> bool:
        """Whether behind "and" stands how a cell looks, and not the next of what is denied."""
        tokens = self._tokens
        if joint + 1 in self._findings:
            return False
        for place in range(joint + 1, len(tokens)):
            key = tokens[place].key
            if self._stops(place, joint) or key == ",":
                return False
            if key in _keys("descriptions") or key in word_keys(load_affirmed, "verbs"):
                return True
        return False

    def _backward(self, cue: int) -> int:
        """Where the statement begins that a cue behind it denies."""
        tokens, depth = self._tokens, 0
        place = cue
        while place > 0:
            before = place - 1
            key = tokens[before].key
            if self._stops(before, cue) or key in _keys("backward_ends"):
                break
            if key in _keys("relatives"):
                return before
            depth += (key == ")") - (key == "(")
            if depth < 0:
                break
            joint = key in _JOINING and self._stands_alone(before)
            comma = key == "," and not depth and not self._list_leads_here(before, cue)
            if joint or comma or before in self._of_cues:
                break
            place = before
        return place

    def _stands_alone(self, joint: int) -> bool:
        """Whether a verb before "and" makes what stands there a statement of its own."""
        for place in range(joint - 1, -1, -1):
            key = self._tokens[place].key
            if self._stops(place, joint) or key == ",":
                return False
            if key in _keys("verbs") - {"with"}:
                return True
        return False

    def _list_leads_here(self, comma: int, cue: int) -> bool:
        """Whether the part behind a comma ends a list: "keratin, fibres and debris are lacking"."""
        tokens = self._tokens
        if not any(tokens[place].key in _JOINING for place in range(comma, cue)):
            return False
        for place in range(comma - 1, -1, -1):
            key = tokens[place].key
            if self._stops(place, comma) or key == ",":
                return True
            if key in _keys("verbs") or comma - place > _ITEM_WORDS:
                return False
        return True

    def _describes(self, places: Collection[int]) -> bool:
        """Whether nothing but a part of a cell is denied: that describes the cell."""
        keys = [self._tokens[place].key for place in places if self._tokens[place].is_word]
        parts, qualities = (_keys(f"absence.{name}") for name in ("parts", "qualities"))
        return any(key in parts for key in keys) and all(
            key in parts or key in qualities for key in keys
        )


@cache
def _cues() -> PhraseBook[_Side]:
    words = load_affirmed()
    book: PhraseBook[_Side] = PhraseBook()
    for side, patterns in (
        (_Side.NONE, words.none),
        (_Side.AFTER, words.negated.after),
        (_Side.CLOSING, words.negated.closing),
        (_Side.WITHIN, words.negated.within),
        (_Side.BEFORE, words.negated.before),
        (_Side.BESIDE, words.negated.beside),
        (_Side.ANSWER, words.negated.answers),
    ):
        for pattern in patterns:
            book.add(pattern, side)
    return book


@cache
def _answers() -> list[list[str]]:
    return [[*words] for words, _ in book_of(load_affirmed().negated.answers).wordings()]
