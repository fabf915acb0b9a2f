"""Sentences and clauses of a report, as ranges of its tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from coin_retrieval.reports.words import Token

_ENDS = frozenset({".", "?."})
STRONG = frozenset({".", "?.", ";"})


class Run(NamedTuple):
    """Tokens ``start`` to ``end``, marks at the end left out."""

    start: int
    end: int


def sentences(tokens: Sequence[Token], sections: Sequence[int]) -> list[Run]:
    """From full stop to full stop, or to where a section ends."""
    return list(_parts(tokens, sections, Run(0, len(tokens)), _ENDS))


def strong_clauses(tokens: Sequence[Token], sections: Sequence[int], within: Run) -> list[Run]:
    """The parts of a sentence between semicolons."""
    return list(_parts(tokens, sections, within, STRONG))


def clauses(tokens: Sequence[Token], sections: Sequence[int], within: Run) -> list[Run]:
    """The parts of a sentence between commas, semicolons, colons and dashes outside brackets."""
    return list(_parts(tokens, sections, within, STRONG | {",", ":", "-"}))


def is_within_a_word(tokens: Sequence[Token], place: int) -> bool:
    """Whether a mark separates nothing, as in 5,000 and N:C."""
    return (
        tokens[place].key in (",", ":")
        and 0 < place < len(tokens) - 1
        and tokens[place - 1].end == tokens[place].start
        and tokens[place].end == tokens[place + 1].start
    )


def _parts(
    tokens: Sequence[Token], sections: Sequence[int], within: Run, marks: frozenset[str]
) -> Iterator[Run]:
    start, depth = within.start, 0
    for place in range(within.start, within.end):
        key = tokens[place].key
        depth = max(0, depth + (key == "(") - (key == ")"))
        if key in _ENDS:
            depth = 0
        if place > start and sections[place] != sections[place - 1]:
            yield Run(start, place)
            start, depth = place, 0
        if key in marks and depth == 0 and not is_within_a_word(tokens, place):
            if place > start:
                yield Run(start, place)
            start = place + 1
    if start < within.end:
        yield Run(start, within.end)
