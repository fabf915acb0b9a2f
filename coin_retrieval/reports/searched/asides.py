"""What a report says besides: what was, of whom else, of the specimen, and what to do next."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from coin_retrieval.reports.lexicons import load_affirmed, phrase_book, word_keys
from coin_retrieval.reports.searched.clauses import Run, clauses, sentences, strong_clauses
from coin_retrieval.reports.words import PhraseBook, Token, fold

_book = partial(phrase_book, load_affirmed)
_keys = partial(word_keys, load_affirmed)


class Because(StrEnum):
    """Why words of a report are not searched."""

    NEGATED = "negated"
    HISTORICAL = "historical"
    OTHER_PERSON = "other_person"
    ADEQUACY = "adequacy"
    ADVICE = "advice"

    @property
    def label(self) -> str:
        """In words."""
        return {"historical": "of the past", "other_person": "of another person"}.get(
            self.value, "about the specimen" if self is Because.ADEQUACY else self.value
        )


@dataclass(frozen=True, slots=True)
class Aside:
    """Tokens ``start`` to ``end`` are not of today's cells, as a cue says, if one does."""

    start: int
    end: int
    because: Because
    cue: Run | None


def asides(tokens: Sequence[Token], sections: Sequence[int]) -> Iterator[Aside]:
    """Everything that is no finding of today, clause by clause."""
    for sentence in sentences(tokens, sections):
        parts = clauses(tokens, sections, sentence)
        if not parts:
            continue
        yield from _of_others(tokens, sections, sentence)
        yield from _of_the_past(tokens, parts)
        yield from _of_the_specimen(tokens, parts)
        yield from _what_to_do(tokens, sections, sentence)


def _of_others(tokens: Sequence[Token], sections: Sequence[int], sentence: Run) -> Iterator[Aside]:
    """From the clause that names a relative to the semicolon, or to where today begins."""
    for part in strong_clauses(tokens, sections, sentence):
        of_cells = {
            place
            for found in _book("not_persons").find(tokens[slice(*part)])
            for place in range(part.start + found.start, part.start + found.end)
        }
        cue = _first(_book("other_person"), tokens, part, but=of_cells)
        if cue is None:
            continue
        inner = clauses(tokens, sections, part)
        start = next(c.start for c in inner if c.end > cue.start)
        today = _first(_book("present"), tokens, Run(cue.end, part.end))
        yield Aside(start, today.start if today else part.end, Because.OTHER_PERSON, cue)


def _of_the_past(tokens: Sequence[Token], parts: Sequence[Run]) -> Iterator[Aside]:
    follows = False
    for number, part in enumerate(parts):
        cue, forward = _past_cue(tokens, part)
        today = _first(_book("present"), tokens, part)
        if cue is None and follows and today is None:
            cue, forward = (
                _first(_book("historical.trailing"), tokens, part),
                False,
            )
        follows = cue is not None
        if cue is None:
            continue
        start, end = (cue.start if forward else part.start), part.end
        bracket = _bracket_about(tokens, part, cue)
        if bracket is not None:
            yield Aside(*bracket, Because.HISTORICAL, cue)
            continue
        if today is not None and today.start >= cue.start:
            end = today.start
        elif today is not None:
            start = max(start, today.start)
        # "Previous smear (2022): LSIL": what the label introduces is past, too
        introduced = part.end < len(tokens) and tokens[part.end].key == ":"
        if introduced and forward and cue.start == parts[0].start and number + 1 < len(parts):
            end = parts[-1].end
        if end > start:
            yield Aside(start, end, Because.HISTORICAL, cue)


def _bracket_about(tokens: Sequence[Token], part: Run, cue: Run) -> Run | None:
    """The bracket of its own that a cue stands in: "(splenectomised 1999)".

    A year or a treatment alone says of when the words before the bracket are.
    """
    opened = [place for place in range(part.start, cue.start) if tokens[place].key in ("(", ")")]
    if not opened or tokens[opened[-1]].key == ")" or opened[-1] == part.start:
        return None
    first = opened[-1]
    end = next((p for p in range(cue.end, part.end) if tokens[p].key == ")"), part.end - 1) + 1
    words = [token.key for token in tokens[first:end] if token.is_word]
    treated = _first(_book("historical.trailing"), tokens, Run(first, end)) is not None
    own = [key for key in words if not key.isdigit()]
    return Run(first, end) if own and not treated else None


def _past_cue(tokens: Sequence[Token], part: Run) -> tuple[Run | None, bool]:
    """A cue of the past in a clause, and whether it speaks only of what follows it."""
    whole = _first(_book("historical.whole"), tokens, part) or _year(tokens, part)
    if whole is not None:
        before = _first(_book("historical.before"), tokens, part)
        labelled = before is not None and before.start == part.start
        return (before, True) if labelled else (whole, False)
    return _first(_book("historical.before"), tokens, part), True


def speaks_of_the_past(tokens: Sequence[Token]) -> bool:
    """Whether a clause holds a cue of what was."""
    return _past_cue(tokens, Run(0, len(tokens)))[0] is not None


def _year(tokens: Sequence[Token], part: Run) -> Run | None:
    """A number that is a year, and no count or edition."""
    for place in range(part.start, part.end):
        raw = tokens[place].raw
        if len(raw) != 4 or not raw.isdigit() or raw[:2] not in ("19", "20"):
            continue
        near = tokens[max(part.start, place - 2) : place]
        follower = tokens[place + 1].raw if place + 1 < part.end else ""
        if any(token.key in _keys("historical.not_years") for token in near):
            continue
        if fold(follower) in _keys("historical.counted"):
            continue
        return Run(place, place + 1)
    return None


def _of_the_specimen(tokens: Sequence[Token], parts: Sequence[Run]) -> Iterator[Aside]:
    """Clauses about the sample, and those between or beside them that say how it was."""
    cues = [_adequacy_cue(tokens, part) for part in parts]
    strong = [number for number, cue in enumerate(cues) if cue is not None]
    if not strong:
        return
    for number, part in enumerate(parts):
        cue = cues[number]
        between = strong[0] < number < strong[-1] or number in (strong[0] - 1, strong[-1] + 1)
        if cue is None and between:
            cue = _first(_book("adequacy.beside"), tokens, part)
        if cue is not None:
            yield Aside(part.start, part.end, Because.ADEQUACY, cue)


def _adequacy_cue(tokens: Sequence[Token], part: Run) -> Run | None:
    cue = _first(_book("adequacy.strong"), tokens, part)
    if cue is not None:
        return cue
    alone = _first(_book("adequacy.alone"), tokens, part)
    rest = {
        tokens[place].key
        for place in range(*part)
        if tokens[place].is_word and not (alone and alone.start <= place < alone.end)
    }
    return alone if rest <= _keys("adequacy.specimen") else None


def _what_to_do(tokens: Sequence[Token], sections: Sequence[int], sentence: Run) -> Iterator[Aside]:
    """From the first clause of advice to the semicolon; behind it, what goes on advising."""
    advised = False
    for strong in strong_clauses(tokens, sections, sentence):
        found: Aside | None = None
        for part in clauses(tokens, sections, strong):
            cue = _first(_book("advice"), tokens, part)
            if cue is None and (part.start == sentence.start or tokens[part.start - 1].key == ":"):
                opening = _book("advice_opens").at(tokens, part.start)
                cue = Run(opening.start, opening.end) if opening else None
            if cue is None and advised:
                cue = _first(_book("advice_goes_on"), tokens, part)
            if cue is not None and _first(_book("not_advice"), tokens, part) is None:
                found = Aside(part.start, strong.end, Because.ADVICE, cue)
                break
        advised = found is not None
        if found is not None:
            yield found


def _first(
    book: PhraseBook[None], tokens: Sequence[Token], within: Run, *, but: Collection[int] = ()
) -> Run | None:
    """The first phrase of a book in a clause that does not begin at one of some places."""
    for place in range(within.start, within.end):
        found = book.at(tokens, place) if place not in but else None
        if found is not None and found.end <= within.end:
            return Run(found.start, found.end)
    return None
