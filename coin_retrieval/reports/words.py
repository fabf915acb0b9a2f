"""Words of a report with their places, and books of phrases that are looked up in them.

Wordings are compared folded: letter case, accents, British spelling, hyphens and the plural's s do
not count. Phrases are data; in them ``[x]`` may be left out, ``(x|y)`` is one of several, and
``{name}`` stands for a fragment. A word with capitals matches in capitals only, so that the
abbreviation ``ND`` is not found in other words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

T = TypeVar("T")

_TOKEN = re.compile(
    r"(?<![^\W_])[+\-–−]ve\b|\d+\.\d+|[^\W_]+|[.!?]|[,;:()\[\]{}]|(?<=\s)[-–—](?=[\s,;.)]|$)", re.I
)
_PART = re.compile(r"[\[\]()|]|[+-]ve|[^\W_]+|\?\.|[,:?-]")
_SPELLINGS = (
    (re.compile(r"ae|oe"), "e"),
    (re.compile(r"(?<=[a-z]{2})our"), "or"),
    (re.compile(r"(?<=[a-z]{4})is(?=e$|ed$|ing$|ation$)"), "iz"),
)
_ABBREVIATED = frozenset({"g", "e", "spp", "sp", "cf", "vs", "approx", "lt", "rt", "no", "ca"})
_BRACKETS = str.maketrans("[]{}", "()()")


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a report's text: characters ``start`` to ``end``, and what stands there."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a mark; ``key`` is how it is compared, ``raw`` how it is written.

    The key ``.`` ends a sentence, whatever mark it was; ``?`` doubts what follows, and ``?.`` what
    stands before it too; a dash that ends a statement is ``-ve``.
    """

    start: int
    end: int
    raw: str
    key: str

    @property
    def is_word(self) -> bool:
        """Whether it is a word, not a mark."""
        return self.key[-1].isalnum()


@dataclass(frozen=True, slots=True)
class Occurrence(Generic[T]):
    """A phrase at tokens ``start`` to ``end``, and what it may mean."""

    start: int
    end: int
    meanings: tuple[T, ...]


def tokenize(text: str) -> list[Token]:
    """The words and marks of a text, in order."""
    tokens: list[Token] = []
    for match in _TOKEN.finditer(text):
        raw = match.group()
        key = _mark(text, match, tokens) if not raw[-1].isalnum() else fold(raw)
        if key:
            tokens.append(Token(match.start(), match.end(), raw, key))
    return tokens


@lru_cache(maxsize=8192)
def fold(word: str) -> str:
    """The form in which a word is compared."""
    plain = unicodedata.normalize("NFKD", word.casefold().replace("–", "-").replace("−", "-"))
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    for spelling, replacement in _SPELLINGS:
        plain = spelling.sub(replacement, plain)
    if len(plain) > 4 and plain.endswith("ies"):
        return plain[:-3] + "y"
    if len(plain) > 4 and plain.endswith("sses"):
        return plain[:-2]
    if len(plain) > 3 and plain.endswith("s") and not plain.endswith(("ss", "us", "is")):
        return plain[:-1]
    return plain


def _mark(text: str, match: re.Match[str], before: Sequence[Token]) -> str:
    raw, end = match.group(), match.end()
    glued = end < len(text) and not text[end].isspace()
    if raw == "?":
        follows = match.start() > 0 and not text[match.start() - 1].isspace()
        return "?." if follows and not glued else "?"
    if raw in ".!":
        if glued and text[end] not in ")]}\"'":
            return ""
        follower = text[end:].lstrip()[:1]
        abbreviated = bool(before) and before[-1].end == match.start()
        abbreviated = abbreviated and before[-1].key in _ABBREVIATED
        return "" if raw == "." and abbreviated and not follower.isupper() else "."
    if raw in "-–—":
        # "Candida -, Trichomonas -."
        return "-ve" if end == len(text) or glued else "-"
    return raw.translate(_BRACKETS)


def span_of(text: str, tokens: Sequence[Token], start: int, end: int) -> Span:
    """Where the words of tokens ``start`` to ``end`` stand in the text."""
    first, last = tokens[start].start, tokens[end - 1].end
    return Span(first, last, text[first:last])


class _Node(Generic[T]):
    """A place within phrases: which words lead on, and what a phrase that ends here may mean."""

    __slots__ = ("meanings", "next")

    def __init__(self) -> None:
        self.next: dict[str, list[_Node[T]]] = {}
        self.meanings: list[T] = []

    def lead(self, word: str, node: _Node[T]) -> None:
        self.next.setdefault(word, []).append(node)


class PhraseBook(Generic[T]):
    """Phrases and what each may mean; the longest phrase at a place is found.

    Patterns become one graph of words, so that their many wordings cost neither time nor memory.

    Args:
        fragments: name → pattern, for ``{name}`` in phrases.
    """

    def __init__(self, fragments: Mapping[str, str] | None = None) -> None:
        self._fragments = fragments or {}
        self._root: _Node[T] = _Node()

    def add(self, pattern: str, meaning: T) -> None:
        """Let every wording of a pattern have a meaning, besides those it has.

        Raises:
            ValueError: the pattern has an empty wording, brackets that do not match, or an unknown
                fragment.
        """
        parts = _PART.findall(self._whole(pattern))
        ends, rest = _grow([self._root], parts, 0)
        if rest != len(parts):
            raise ValueError("its brackets do not match")
        if self._root in ends:
            raise ValueError("one wording of it is empty")
        for node in ends:
            if meaning not in node.meanings:
                node.meanings.append(meaning)

    def at(self, tokens: Sequence[Token], start: int) -> Occurrence[T] | None:
        """The longest phrase that begins at a token."""
        best: Occurrence[T] | None = None
        nodes = [self._root]
        for place in range(start, len(tokens)):
            token = tokens[place]
            keys = (token.key, "=" + token.raw)
            nodes = [
                follower for node in nodes for key in keys for follower in node.next.get(key, ())
            ]
            if not nodes:
                break
            meanings = tuple(dict.fromkeys(m for node in nodes for m in node.meanings))
            if meanings:
                best = Occurrence(start, place + 1, meanings)
        return best

    def find(self, tokens: Sequence[Token]) -> Iterator[Occurrence[T]]:
        """All phrases from left to right, none within another."""
        place = 0
        while place < len(tokens):
            found = self.at(tokens, place)
            if found is not None:
                yield found
            place = found.end if found is not None else place + 1

    def wordings(self) -> Iterator[tuple[tuple[str, ...], tuple[T, ...]]]:
        """Every wording with what it may mean; those in capitals begin with ``=``."""
        waiting: list[tuple[tuple[str, ...], list[_Node[T]]]] = [((), [self._root])]
        while waiting:
            words, nodes = waiting.pop()
            meanings = tuple(dict.fromkeys(m for node in nodes for m in node.meanings))
            if meanings:
                yield words, meanings
            for word in dict.fromkeys(word for node in nodes for word in node.next):
                followers = [f for node in nodes for f in node.next.get(word, ())]
                waiting.append(((*words, word), followers))

    def words(self) -> set[str]:
        """Every word of every wording; those in capitals begin with ``=``."""
        found: set[str] = set()
        seen: set[int] = set()
        waiting = [self._root]
        while waiting:
            node = waiting.pop()
            if id(node) in seen:
                continue
            seen.add(id(node))
            found |= node.next.keys()
            waiting += [follower for others in node.next.values() for follower in others]
        return found

    def _whole(self, pattern: str) -> str:
        """The pattern with its fragments, and theirs, in place."""
        for _ in range(10):
            inserted = re.sub(r"\{(\w+)\}", self._fragment, pattern)
            if inserted == pattern:
                return pattern
            pattern = inserted
        raise ValueError("its fragments stand in each other without end")

    def _fragment(self, named: re.Match[str]) -> str:
        if named.group(1) not in self._fragments:
            raise ValueError(f"there is no fragment {named.group(1)!r}")
        return f"({self._fragments[named.group(1)]})"


def _grow(starts: list[_Node[T]], parts: Sequence[str], at: int) -> tuple[list[_Node[T]], int]:
    """Let words lead on from nodes; returns where alternatives end, and the closing bracket."""
    done: list[_Node[T]] = []
    here = starts
    while at < len(parts) and parts[at] not in (")", "]"):
        part = parts[at]
        if part == "|":
            done, here = done + here, starts
        elif part in ("(", "["):
            inner, at = _grow(here, parts, at + 1)
            if at == len(parts) or parts[at] != (")" if part == "(" else "]"):
                raise ValueError("its brackets do not match")
            here = [*inner, *here] if part == "[" else inner
        else:
            node: _Node[T] = _Node()
            for start in here:
                start.lead(_key(part), node)
            here = [node]
        at += 1
    return list(dict.fromkeys(done + here)), at


def _key(part: str) -> str:
    return "=" + part if any(c.isupper() for c in part) else fold(part)
