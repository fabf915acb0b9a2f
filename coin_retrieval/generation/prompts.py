"""Long reports: cut into windows that a text encoder can read, at word boundaries.

CLIP reads 77 tokens and drops the rest without a word; here the rest fills further windows, and
what even those do not hold is reported.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

Spans = Callable[[str], Sequence[tuple[int, int]]]
"""Text → each token's (start, end) in it, without special tokens."""


@dataclass(frozen=True, slots=True)
class TokenLimit:
    """One tokenizer: where its tokens lie, and how many of them its encoder takes."""

    spans: Spans
    room: int


@dataclass(frozen=True, slots=True)
class Windows:
    """Consecutive pieces of a report, and the end of it that fits into none."""

    texts: tuple[str, ...]
    dropped_text: str


def split_windows(text: str, limits: Sequence[TokenLimit], *, chunks: int) -> Windows:
    """Cut a report into at most ``chunks`` windows, each within the room of every tokenizer.

    A text that fits into one window is returned as it is. A word longer than a whole window is cut
    inside.
    """
    if all(len(limit.spans(text)) <= limit.room for limit in limits):
        return Windows((text,), "")
    rest = text.strip()
    texts: list[str] = []
    while rest and len(texts) < chunks:
        end = _fit(rest, limits)
        texts.append(rest[:end].rstrip())
        rest = rest[end:].lstrip()
    return Windows(tuple(texts), rest)


def unread_tail(text: str, limits: Sequence[TokenLimit]) -> str:
    """The end of a text that no tokenizer takes when each simply cuts at its room."""
    tails = []
    for limit in limits:
        spans = limit.spans(text)
        tails.append(text[spans[limit.room][0] :] if len(spans) > limit.room else "")
    return min(tails, key=len, default="")


def _fit(text: str, limits: Sequence[TokenLimit]) -> int:
    """How many characters of ``text`` make the longest window; at least one."""
    end = len(text)
    while True:
        shorter = min(_cut(text[:end], limit) for limit in limits)
        if shorter >= end:
            return end
        end = shorter


def _cut(text: str, limit: TokenLimit) -> int:
    spans = limit.spans(text)
    if len(spans) <= limit.room:
        return len(text)
    full = spans[limit.room][0]
    space = max((i for i in range(full + 1) if text[i].isspace()), default=0)
    word = len(text[:space].rstrip())
    # tokens of a cut word can need more room than they did in the whole: one fewer, and look again
    return word or max(1, min(full, len(text) - 1))
