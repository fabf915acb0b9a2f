"""The parts of a report: header, findings, conclusion, comment, history, advice.

Labels before a colon tell them ("Conclusion:"). Without labels the style is that of cytology
reports, "(procedure or site) findings. Conclusion": the last sentence concludes if another stands
before it, or a comment or advice after it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, partial

from coin_retrieval.reports.lexicons import load_sections, phrase_book, word_keys
from coin_retrieval.reports.searched.asides import speaks_of_the_past
from coin_retrieval.reports.sites import names_a_specimen
from coin_retrieval.reports.words import PhraseBook, Token, tokenize

_book = partial(phrase_book, load_sections)
_keys = partial(word_keys, load_sections)

_BRACKET = re.compile(r"\(([^()]{1,80})\)\s*")
_SENTENCE_END = re.compile(r"(?<=[.!])\s+(?=[A-Z(])|;\s+")
_HEADER_WORDS = 12
_SPECIMEN_WORDS = 4
_JOINTS = frozenset({"of", "and", "for", "on", "the"})


class SectionKind(StrEnum):
    """What a section is; ``BODY`` has no label, or one that is part of what is said."""

    HEADER = "header"
    BODY = "body"
    FINDINGS = "findings"
    CONCLUSION = "conclusion"
    COMMENT = "comment"
    HISTORY = "history"
    ADEQUACY = "adequacy"
    ADVICE = "advice"


@dataclass(frozen=True, slots=True)
class Section:
    """Characters ``start`` to ``end`` of a report, its label left out."""

    part: SectionKind
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Layout:
    """The sections of a report, with its findings and its conclusion as they stand in the text."""

    sections: tuple[Section, ...]
    findings: str
    conclusion: str

    def number(self, tokens: Sequence[Token]) -> list[int]:
        """The section of each token; a label belongs to what it introduces."""
        numbers, current = [], 0
        for token in tokens:
            while current < len(self.sections) - 1 and token.start >= self.sections[current].end:
                current += 1
            numbers.append(current)
        return numbers


def lay_out(text: str, tokens: Sequence[Token]) -> Layout:
    """The sections of a tidied report, in order, and what is found and concluded."""
    sections = _split_bodies(text, _end_histories(text, _labelled(text, tokens)))
    # a report that is nothing but a label says that
    sections = sections or [Section(SectionKind.BODY, 0, len(text))]
    conclusions = [s for s in sections if s.part is SectionKind.CONCLUSION]
    findings = [s for s in sections if s.part is SectionKind.FINDINGS]
    # what is found stands before the conclusion; else after it, or in the comment
    others = findings or [s for s in sections if s.part in (SectionKind.BODY, SectionKind.COMMENT)]
    return Layout(
        sections=tuple(sections),
        findings=_text(text, others[0]) if others else "",
        conclusion=_text(text, conclusions[-1]) if conclusions else "",
    )


def _labelled(text: str, tokens: Sequence[Token]) -> list[Section]:
    """Sections by their labels; a bracket or a clause that names the specimen is a header."""
    bracket = _BRACKET.match(text)
    first = bracket.end() if bracket else 0
    # (label's start, content's start, part, content's end if known)
    marks: list[tuple[int, int, SectionKind]] = [(first, first, SectionKind.BODY)]
    sections = [Section(SectionKind.HEADER, 1, first)] if bracket else []
    for place, token in enumerate(tokens):
        # "Findings. Normal squamous cells.": a sentence of one word may be a label
        headed = token.key == "." and (place < 2 or tokens[place - 2].key == ".")
        if not (token.key in (":", "-") or headed) or token.start < first:
            continue
        label = _label_before(tokens, place)
        if headed and (label is None or label[1] is SectionKind.BODY):
            continue
        if label is not None:
            start, part = label
            if part is SectionKind.HISTORY and _of_the_smear(tokens[start:place], marks):
                part = SectionKind.BODY
            marks.append((tokens[start].start, token.end, part))
        if label is not None or token.key == "-":
            continue
        clause = _clause_before(tokens, place)
        new = clause < place and tokens[clause].start >= marks[-1][1]
        if (
            new
            and names_a_specimen(tokens[clause:place])
            and speaks_of_the_past(tokens[clause:place])
        ):
            # "Previous smear (2022): LSIL." is a history of one sentence
            end = next((t.end for t in tokens[place:] if t.key == "."), len(text))
            marks.append((tokens[clause].start, token.end, SectionKind.HISTORY))
            marks.append((end, end, SectionKind.BODY))
        elif new and names_a_specimen(tokens[clause:place]):
            marks.append((tokens[clause].start, tokens[clause].start, SectionKind.HEADER))
            marks.append((token.end, token.end, SectionKind.BODY))
    for (_, start, part), end in zip(marks, [*(m[0] for m in marks[1:]), len(text)], strict=True):
        if text[start:end].strip(" ;"):
            sections.append(Section(part, start, end))
    return sections


def _of_the_smear(label: Sequence[Token], before: Sequence[tuple[int, int, SectionKind]]) -> bool:
    """Whether "Background" is what lies between the cells: so it is once the smear is told of."""
    told = {SectionKind.ADEQUACY, SectionKind.FINDINGS}
    return [t.key for t in label] == ["background"] and any(part in told for *_, part in before)


def _label_before(tokens: Sequence[Token], mark: int) -> tuple[int, SectionKind] | None:
    """Where a label before a mark begins, with the words around it that only say which one."""
    end = mark
    while end > 1 and tokens[end - 1].key in _keys("label_words"):
        end -= 1
    for last in dict.fromkeys((mark, end)):
        for place in range(max(0, last - 5), last):
            found = _labels().at(tokens, place)
            if found is None or found.end != last:
                continue
            opening = _clause_before(tokens, mark)
            start = _with_label_words(tokens, place, opening)
            sure = tokens[mark].key == ":" and found.meanings[0] is not SectionKind.BODY
            if sure or start == opening:
                return start, found.meanings[0]
    return None


def _with_label_words(tokens: Sequence[Token], place: int, opening: int) -> int:
    start = place
    while start > opening and tokens[start - 1].key in _keys("label_words"):
        start -= 1
    while tokens[start].key in _JOINTS:
        start += 1
    return start


def _clause_before(tokens: Sequence[Token], colon: int) -> int:
    """Where the clause before a colon begins; the colon itself, if it is too long for a header."""
    for start in range(colon - 1, -1, -1):
        if tokens[start].key in (".", ";", ":"):
            return start + 1
        if colon - start > _HEADER_WORDS:
            return colon
    return 0


def _end_histories(text: str, sections: Sequence[Section]) -> list[Section]:
    """Histories end where a sentence begins with a specimen, and not one of the past."""
    ended: list[Section] = []
    for section in sections:
        ended.append(section)
        if section.part is not SectionKind.HISTORY:
            continue
        starts = [m.end() for m in _SENTENCE_END.finditer(text, section.start, section.end)]
        for start, end in zip(starts, [*starts[1:], section.end], strict=False):
            tokens = tokenize(text[start:end])
            if names_a_specimen(tokens[:_SPECIMEN_WORDS]) and not speaks_of_the_past(tokens):
                ended[-1] = Section(SectionKind.HISTORY, section.start, start)
                ended.append(Section(SectionKind.BODY, start, section.end))
                break
    return ended


def _split_bodies(text: str, sections: Sequence[Section]) -> list[Section]:
    """The last unlabelled section split into findings and conclusion, if no label says it."""
    if any(s.part is SectionKind.CONCLUSION for s in sections):
        return list(sections)
    bodies = [n for n, s in enumerate(sections) if s.part is SectionKind.BODY]
    if not bodies:
        return list(sections)
    last = bodies[-1]
    split = _split(text, sections[last], followed=last + 1 < len(sections))
    return [*sections[:last], *split, *sections[last + 1 :]]


def _split(text: str, body: Section, *, followed: bool) -> list[Section]:
    ends = _SENTENCE_END.finditer(text, body.start, body.end)
    starts = [body.start, *(m.end() for m in ends)]
    starts = [s for s in starts if text[s : body.end].strip(" ;")]
    advised = body.end
    while len(starts) > 1 and _is_advice(text[starts[-1] : advised]):
        advised = starts.pop()
    parts = []
    if len(starts) > 1:
        parts.append(Section(SectionKind.BODY, body.start, starts[-1]))
    if len(starts) > 1 or followed or advised < body.end:
        parts.append(Section(SectionKind.CONCLUSION, starts[-1], advised))
    else:
        parts.append(Section(SectionKind.BODY, body.start, advised))
    if advised < body.end:
        parts.append(Section(SectionKind.ADVICE, advised, body.end))
    return parts


def _text(text: str, section: Section) -> str:
    return text[section.start : section.end].strip().rstrip(";").strip()


def _is_advice(sentence: str) -> bool:
    return next(iter(_book("advice_words").find(tokenize(sentence))), None) is not None


@cache
def _labels() -> PhraseBook[SectionKind]:
    words = load_sections()
    book: PhraseBook[SectionKind] = PhraseBook()
    for part in SectionKind:
        for pattern in getattr(words, part.value, ()):
            book.add(pattern, part)
    return book
