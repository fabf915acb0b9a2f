"""Layouts of nuclei as people give them: in words, as a table of points, or sampled."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from coin_retrieval.errors import InputError
from coin_retrieval.limits import MAX_NUCLEI
from coin_retrieval.metrics.instances import Points
from coin_retrieval.tables.files import columns_of, form_of, read_rows
from coin_retrieval.types import LayoutSource

_NUMBERS = (
    "no one two three four five six seven eight nine ten",
    "eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen twenty",
)
_WORDS = {"a": 1, "an": 1, "dozen": 12, "thirty": 30, "forty": 40, "fifty": 50, "hundred": 100}
_COUNTS = {word: number for number, word in enumerate(" ".join(_NUMBERS).split())} | _WORDS
_NUCLEI = {"nucleus", "nuclei", "cell", "cells"}
_CROWDED, _SCATTERED = {"crowded", "clustered", "overlapping"}, {"scattered", "dispersed", "sparse"}
_SPREAD = {"crowded": 0.5, "": 0.9, "scattered": 0.96}
_TRIES = 64


def layout_of_words(text: str, kinds: Sequence[str], *, seed: int = 0) -> LayoutSource:
    """A layout such as "twelve crowded large nuclei, two mitoses"; positions are sampled.

    Each part, between commas or "and", is a number, adjectives and a noun: nuclei or cells are of
    the first kind, other nouns name one. Crowded nuclei share half of each side. All adjectives go
    into the prompt.

    Raises:
        InputError: no number, an unknown noun, or too many nuclei.
    """
    random = np.random.default_rng(seed)
    parts = [part.split() for part in re.split(r",|;|\band\b", text.lower()) if part.strip()]
    points: list[tuple[float, float, str]] = []
    words: list[str] = []
    for part in parts:
        count = _count(part[0])
        if count is None or len(part) < 2:
            raise _unreadable(text, kinds)
        described = set(part[1:-1])
        kind = _kind(part[-1], kinds, text)
        spread = (
            "crowded" if described & _CROWDED else "scattered" if described & _SCATTERED else ""
        )
        points += [(x, y, kind) for x, y in sampled_points(count, random, spread=_SPREAD[spread])]
        adjectives = part[1:-1]
        words += [f"{adjective} nuclei" for adjective in adjectives]
        words += [kind] if part[-1] not in _NUCLEI else []
    if not points:
        raise _unreadable(text, kinds)
    return checked(LayoutSource(tuple(points), ", ".join(dict.fromkeys(words))), kinds)


def sampled_points(
    count: int, random: np.random.Generator, *, spread: float = 0.9
) -> list[tuple[float, float]]:
    """Points within the middle ``spread`` of the sides, as far apart as a few tries find them.

    Mitchell's best candidates (1991, doi 10.1145/127719.122736): nuclei do not lie upon each other.
    """
    low = (1 - spread) / 2 if spread >= 0.9 else random.uniform(0.05, 0.95 - spread)
    found: list[np.ndarray] = []
    for _ in range(min(count, MAX_NUCLEI + 1)):
        tried = low + spread * random.random((_TRIES, 2))
        if found:
            apart = np.linalg.norm(tried[:, None] - np.array(found)[None], axis=2).min(axis=1)
            found.append(tried[int(apart.argmax())])
        else:
            found.append(tried[0])
    return [(float(x), float(y)) for x, y in found]


def layout_of_points(
    points: Points, kinds: Sequence[str], *, width_px: float, height_px: float, text: str = ""
) -> LayoutSource:
    """A layout of centres in px, float64 [n 2], as they lie in a real picture of this size."""
    named = tuple(
        (float(x / width_px), float(y / height_px), kind)
        for (x, y), kind in zip(points.tolist(), kinds, strict=True)
    )
    return LayoutSource(named, text)


def layout_of_table(
    path: Path, kinds: Sequence[str], *, side_px: int, text: str = ""
) -> LayoutSource:
    """A layout of a table with the columns ``x_px``, ``y_px`` and, if there are several, ``type``.

    Args:
        side_px: of the square that positions are px of.

    Raises:
        InputError: a column is missing, a point lies outside, or a type is unknown.
        CaseTableError: no such table.
    """
    form = form_of(path)
    missing = {"x_px", "y_px"} - set(columns_of(path, form))
    if missing:
        raise InputError(
            f"{path} is no layout",
            value=f"no column {', '.join(sorted(missing))}",
            expected="x_px, y_px and type",
        )
    points = []
    for line, row in read_rows(path, form):
        try:
            x, y = float(row["x_px"]) / side_px, float(row["y_px"]) / side_px
        except ValueError as error:
            raise InputError(
                f"{path}, line {line}: a position is no number",
                value=f"{row['x_px']}, {row['y_px']}",
                expected=f"px from 0 to {side_px}",
            ) from error
        points.append((x, y, row.get("type") or kinds[0]))
    return checked(LayoutSource(tuple(points), text), kinds)


def checked(source: LayoutSource, kinds: Sequence[str]) -> LayoutSource:
    """The same layout, if a model that knows these kinds can draw it.

    Raises:
        InputError: a nucleus outside the picture, of an unknown kind, or too many.
    """
    if not 1 <= len(source.points) <= MAX_NUCLEI:
        raise InputError(
            "number of nuclei out of range",
            value=len(source.points),
            expected=f"1 to {MAX_NUCLEI}",
        )
    for x, y, kind in source.points:
        if not (0 <= x < 1 and 0 <= y < 1):
            raise InputError(
                "a nucleus lies outside the picture",
                value=f"{100 * x:.0f} %, {100 * y:.0f} % of the sides",
                expected="positions within the picture",
                remedy="correct the point, or the size that positions are measured in",
            )
        if kind not in kinds:
            raise InputError(
                "the model knows no such nuclei", value=kind, expected=f"one of {', '.join(kinds)}"
            )
    return source


def _count(word: str) -> int | None:
    return int(word) if word.isdecimal() else _COUNTS.get(word)


def _kind(noun: str, kinds: Sequence[str], text: str) -> str:
    singular = {noun, noun.removesuffix("s"), re.sub(r"es$", "is", noun), re.sub(r"i$", "us", noun)}
    found = next((kind for kind in kinds if kind.lower() in singular), None)
    if found is not None:
        return found
    if noun in _NUCLEI:
        return kinds[0]
    raise _unreadable(text, kinds, noun)


def _unreadable(text: str, kinds: Sequence[str], noun: str = "") -> InputError:
    return InputError(
        "the model knows no such nuclei" if noun else "this is no layout in words",
        value=noun or text[:80],
        expected="numbers and nuclei, such as “twelve crowded large nuclei”; "
        f"kinds: {', '.join(kinds)}",
        remedy="write a number before each kind, or give a table of points",
    )
