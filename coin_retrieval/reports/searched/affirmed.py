"""The text that is searched: what a report affirms. The rest is left out, and why is told.

A picture shows what is there: "no HSIL" embeds and draws like HSIL. The report's order is kept.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby

from coin_retrieval.reports.categories import CategoryPhrase
from coin_retrieval.reports.lexicons import load_affirmed, word_keys
from coin_retrieval.reports.searched.asides import Because, asides
from coin_retrieval.reports.searched.clauses import Run
from coin_retrieval.reports.searched.negations import Denials
from coin_retrieval.reports.sections import Layout, SectionKind
from coin_retrieval.reports.sites import names_a_specimen
from coin_retrieval.reports.words import Span, Token, span_of

_keys = partial(word_keys, load_affirmed)

__all__ = ["Affirmed", "Because", "LeftOut", "Piece", "affirmed", "as_written"]

_OF_SECTIONS = {
    SectionKind.HISTORY: Because.HISTORICAL,
    SectionKind.ADVICE: Because.ADVICE,
    SectionKind.ADEQUACY: Because.ADEQUACY,
}
_LABELLED = frozenset(_OF_SECTIONS) | {
    SectionKind.CONCLUSION,
    SectionKind.FINDINGS,
    SectionKind.COMMENT,
}
_OPENING = frozenset({",", ";", ":", ".", "?.", "-", ")"})
_CLOSING = frozenset({",", ";", ":", "-", "("})
_JOINTS = frozenset({"and", "or", "but", "nor"})
_SETTING_WORDS = 6


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Words that are not searched, why, and the cue that says so, if one does."""

    words: Span
    because: Because
    cue: Span | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a report that is searched, and what joins it to the one before."""

    span: Span
    concludes: bool = False
    joint: str = ""

    @property
    def text(self) -> str:
        """Its words, behind what joins them on."""
        return self.joint + self.span.text


@dataclass(frozen=True, slots=True)
class Affirmed:
    """``pieces`` are searched, in this order; ``left_out`` is what is not, in the report's."""

    pieces: tuple[Piece, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def text(self) -> str:
        """What is searched; empty if the report affirms nothing."""
        return "".join(piece.text for piece in self.pieces)

    @property
    def conclusion_first(self) -> Affirmed:
        """The same with what concludes before all else, for models that read no more of it."""
        ordered = sorted(self.pieces, key=lambda piece: not piece.concludes)
        return replace(self, pieces=_joined([(p.span, p.concludes, ".") for p in ordered]))

    def last(self, characters: int) -> tuple[Span, ...]:
        """Where the last characters of :attr:`text` stand in the report."""
        spans: list[Span] = []
        for piece in reversed(self.pieces):
            if characters <= 0:
                break
            span = piece.span
            start = max(span.start, span.end - characters)
            spans.append(Span(start, span.end, span.text[start - span.start :]))
            characters -= len(piece.text)
        return tuple(reversed(spans))


def as_written(text: str) -> Affirmed:
    """All of a report, whatever it denies."""
    return Affirmed((Piece(Span(0, len(text), text)),))


def affirmed(
    text: str,
    tokens: Sequence[Token],
    layout: Layout,
    *,
    phrases: Sequence[CategoryPhrase],
) -> Affirmed:
    """What a tidied report says of this patient's cells of today.

    The name of a category is searched whatever cue stands in it, such as "negative for
    intraepithelial lesion or malignancy"; other words for it if nothing else is affirmed.
    """
    if not tokens:
        return as_written(text)
    sections = layout.number(tokens)
    parts = [layout.sections[n].part if layout.sections else SectionKind.BODY for n in sections]
    grounds = _grounds(tokens, layout, sections)
    cuts = _Cuts(text, tokens)
    found = list(asides(tokens, grounds))
    # of a relative, also where the history tells it
    for aside in found:
        if aside.because is Because.OTHER_PERSON:
            cuts.leave_out(Run(aside.start, aside.end), aside.because, aside.cue)
    for run in _of_one_section(sections):
        # advice without a label is found clause by clause
        labelled = tokens[run.start].start < layout.sections[sections[run.start]].start
        if parts[run.start] in _OF_SECTIONS and labelled:
            cuts.leave_out(run, _OF_SECTIONS[parts[run.start]], None)
    for aside in found:
        cuts.leave_out(Run(aside.start, aside.end), aside.because, aside.cue)
    for denial in Denials(
        tokens,
        grounds,
        findings=_places(phrases),
        names=_places(p for p in phrases if p.by_name and p.negative),
    ):
        cuts.leave_out(Run(denial.start, denial.end), Because.NEGATED, denial.cue)
    labels = {
        place
        for place, token in enumerate(tokens)
        if parts[place] in _LABELLED and token.start < layout.sections[sections[place]].start
    }
    if not labels and not cuts.ordered:
        return as_written(text)
    kept = list(_kept(tokens, cuts.left_out_at, labels))
    if all(_is_setting(tokens, parts, run) for run in kept):
        negative = [Run(p.start, p.end) for p in phrases if p.negative]
        kept = sorted([*kept, *(run for run in negative if cuts.denied(run))])
    cuts.take_in_idle(labels.union(*(range(*run) for run in kept)))
    spans = [_span(text, tokens, run) for run in kept]
    between = [text[a.end : b.start] for a, b in zip([Span(0, 0, ""), *spans], spans, strict=False)]
    concludes = [parts[run.start] is SectionKind.CONCLUSION for run in kept]
    return Affirmed(_joined(list(zip(spans, concludes, between, strict=True))), cuts.ordered)


class _Cuts:
    """What is left out so far, and why; of two reasons for a word the first one stands."""

    def __init__(self, text: str, tokens: Sequence[Token]) -> None:
        self._text, self._tokens = text, tokens
        self._whys: list[tuple[Because, Run | None] | None] = [None] * len(tokens)

    def leave_out(self, places: Run, because: Because, cue: Run | None) -> None:
        for place in range(*places):
            self._whys[place] = self._whys[place] or (because, cue)

    def take_in_idle(self, spoken_for: Collection[int]) -> None:
        """Let idle words go with what is left out behind them, else before them."""
        places = [p for p in range(len(self._tokens)) if p not in spoken_for]
        for step, order in ((1, reversed(places)), (-1, places)):
            for place in order:
                beside = place + step
                if self._tokens[place].is_word and 0 <= beside < len(self._tokens):
                    self._whys[place] = self._whys[place] or self._whys[beside]

    @property
    def left_out_at(self) -> list[bool]:
        return [why is not None for why in self._whys]

    def denied(self, run: Run) -> bool:
        return all(why and why[0] is Because.NEGATED for why in self._whys[slice(*run)])

    @property
    def ordered(self) -> tuple[LeftOut, ...]:
        found: list[LeftOut] = []
        for why, group in groupby(range(len(self._tokens)), key=self._whys.__getitem__):
            places = list(group)
            run = Run(places[0], places[-1] + 1)
            if why and any(token.is_word for token in self._tokens[slice(*run)]):
                cue = span_of(self._text, self._tokens, *why[1]) if why[1] else None
                found.append(LeftOut(span_of(self._text, self._tokens, *run), why[0], cue))
        return tuple(found)


def _places(phrases: Iterable[CategoryPhrase]) -> set[int]:
    return {place for phrase in phrases for place in range(phrase.start, phrase.end)}


def _grounds(tokens: Sequence[Token], layout: Layout, sections: Sequence[int]) -> list[int]:
    """Sections as scopes see them: a semicolon without a label behind it ends none."""
    grounds: list[int] = []
    for place, section in enumerate(sections):
        new = place == 0 or section != sections[place - 1]
        labelled = new and tokens[place].start < layout.sections[section].start
        if new and (labelled or not place or tokens[place - 1].key != ";"):
            grounds.append(place)
        else:
            grounds.append(grounds[-1])
    return grounds


def _of_one_section(sections: Sequence[int]) -> Iterator[Run]:
    start = 0
    for place in range(1, len(sections) + 1):
        if place == len(sections) or sections[place] != sections[start]:
            yield Run(start, place)
            start = place


def _kept(
    tokens: Sequence[Token], left_out: Sequence[bool], labels: Collection[int]
) -> Iterator[Run]:
    """Runs of tokens that are searched and say something, without marks where words were cut."""
    start = 0
    for end in range(len(tokens) + 1):
        if end < len(tokens) and not left_out[end] and end not in labels:
            continue
        first, last = start, end
        while first < last and first > 0 and tokens[first].key in _OPENING:
            first += 1
        while last > first and last < len(tokens) and tokens[last - 1].key in _CLOSING:
            last -= 1
        first, last = _without_idle_ends(tokens, first, last)
        if any(token.is_word and token.key not in _keys("idle") for token in tokens[first:last]):
            yield Run(first, last)
        start = end + 1


def _without_idle_ends(tokens: Sequence[Token], first: int, last: int) -> tuple[int, int]:
    """A run without words that lost their meaning: "There is" of "There is no atypia"."""
    if last < len(tokens):
        end = last
        while end > first and tokens[end - 1].key in _keys("idle"):
            end -= 1
        if end == first or not tokens[end - 1].is_word or tokens[end].key in _JOINTS:
            last = end
    if first > 0:
        start = first
        while start < last and tokens[start].key in _keys("idle"):
            start += 1
        if start == last or not tokens[start].is_word or tokens[first].key in _JOINTS:
            first = start
    while last > first and last < len(tokens) and tokens[last - 1].key in _CLOSING:
        last -= 1
    while first < last and first > 0 and tokens[first].key in _OPENING:
        first += 1
    return first, last


def _is_setting(tokens: Sequence[Token], parts: Sequence[SectionKind], run: Run) -> bool:
    """Whether a part only says where cells come from or how they were taken."""
    if all(parts[place] is SectionKind.HEADER for place in range(*run)):
        return True
    words = [token for token in tokens[slice(*run)] if token.is_word]
    return len(words) <= _SETTING_WORDS and names_a_specimen(tokens[slice(*run)])


def _span(text: str, tokens: Sequence[Token], run: Run) -> Span:
    """A run with the signs around it that are no tokens, as the plus of "clue cells ++"."""
    start = tokens[run.start].start if run.start else 0
    end = tokens[run.end].start if run.end < len(tokens) else len(text)
    end = start + len(text[start:end].rstrip())
    return Span(start, end, text[start:end])


def _joined(parts: Sequence[tuple[Span, bool, str]]) -> tuple[Piece, ...]:
    """Spans, whether they conclude and what stood before them, as one text.

    They are joined by a full stop where one stood between them, else by a comma.
    """
    pieces: list[Piece] = []
    for span, concludes, before in parts:
        joint = ""
        if pieces:
            ended = pieces[-1].span.text[-1] in ".;:!?,"
            joint = " " if ended else ". " if {".", ";"} & set(before) else ", "
        pieces.append(Piece(span, concludes, joint))
    return tuple(pieces)
