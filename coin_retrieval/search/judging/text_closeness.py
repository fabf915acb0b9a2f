"""Does an archive hold what a report names? Its known reports against those of everything else.

Both sides are asked in the frozen sentence space and by their words, so that the answer depends on
no encoder and no calibration: how near are the nearest reports of what the archive holds, how near
those of what it lacks, and does anything that it holds go by these words?
"""

from __future__ import annotations

import math
import re
from base64 import b64decode, b64encode
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.archive.measured.closeness import OwnReports, TextCloseness
from coin_retrieval.types import Embeddings
from coin_retrieval.wordings.known import KnownSentences, object_array, words_of

NEAREST = 3
"""Reports of an entity that count: one may be a chance."""

_REPEATS = 0.9
"""Cosine from which on two reports say the same."""

_SHARPNESS = 20.0
"""Of the soft maximum over entities, in the whitened space."""

_FEW = 20
"""Reports of an entity that cannot hold their own against one that only names it."""

Similarities = NDArray[np.float32]


@dataclass(frozen=True)
class ReportSet:
    """Reports of many entities.

    ``vectors`` and ``whitened`` float32 [n 384], ``entities`` [n], and ``words`` [n]: sets of them,
    empty where only the vectors were kept.
    """

    vectors: Embeddings
    whitened: Embeddings
    entities: NDArray[np.str_]
    words: NDArray[np.object_]

    def rows(self, kept: NDArray[np.bool_]) -> ReportSet:
        """Some of them."""
        return ReportSet(*(part[kept] for part in self._parts))

    def with_rows(self, others: ReportSet) -> ReportSet:
        """Beside others."""
        parts = zip(self._parts, others._parts, strict=True)
        return ReportSet(*(np.concatenate(pair) for pair in parts))

    @property
    def _parts(self) -> tuple[NDArray[Any], ...]:
        return (self.vectors, self.whitened, self.entities, self.words)

    @cached_property
    def vocabulary(self) -> Mapping[str, Counter[str]]:
        """In how many reports of each entity every word stands."""
        found: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for entity, words in zip(self.entities.tolist(), self.words, strict=True):
            for word in words:
                found[word][entity] += 1
        return found

    @cached_property
    def blocks(self) -> dict[str, NDArray[np.intp]]:
        """The rows of each entity."""
        order = np.argsort(self.entities, kind="stable")
        names, starts = np.unique(self.entities[order], return_index=True)
        return dict(zip(names.tolist(), np.split(order, starts[1:]), strict=True))


def report_set(known: KnownSentences, kept: NDArray[np.bool_]) -> ReportSet:
    """Known reports, composed ones left to thresholds."""
    whole = ReportSet(known.vectors, known.whitened_vectors, known.entities, known.words)
    return whole.rows(kept)


def scores(
    asked: ReportSet, inside: ReportSet, outside: ReportSet, *, own_rows: bool = False
) -> NDArray[np.float64]:
    """How much nearer each report is to what is inside than to what is outside, float64 [n].

    The sum of two contrasts and the mean of two likenesses. Contrasts: the mean cosine to the three
    nearest reports of either side; and, in the space where an entity's reports lie alike in all
    directions, a soft maximum over entities of the mean cosine to each one's three nearest. The
    first knows what is like nothing, the second one entity from another. Likenesses tell what no
    report is known of: the mean cosine to the three nearest of the likest entity inside, and how
    much of what is said goes by words that reports of one entity use, rare words weighing most.

    Args:
        own_rows: the asked ones are the first inside ones, and none is compared with itself or with
            one that says nearly the same: where sentences are templates, new ones would be few.
            Those that nothing else is left for are not scored.
    """
    plain = [asked.vectors @ of.vectors.T for of in (inside, outside)]
    entity = [asked.whitened @ of.whitened.T for of in (inside, outside)]
    if own_rows:
        same = plain[0] > _REPEATS
        np.fill_diagonal(same, val=True)
        for near in (plain[0], entity[0]):
            near[same] = -1
        scored = np.asarray(~same.all(axis=1))
        plain, entity = ([near[scored] for near in both] for both in (plain, entity))
        asked = asked.rows(scored)
    first = _nearest_mean(plain[0]) - _nearest_mean(plain[1])
    held = _of_entities(entity[0], inside)
    second = _soft_maximum(held) - _soft_maximum(_of_entities(entity[1], outside))
    covered = _coverage(asked, inside, outside, own_rows=own_rows)
    return np.asarray(first + second + (held.max(axis=0) + covered) / 2, np.float64)


def by_entity(whitened: Embeddings, known: ReportSet) -> dict[str, float]:
    """The mean cosine of one report to the three nearest of each entity, nearest entity first."""
    near = whitened @ known.whitened.T
    found = {name: float(_nearest_mean(near[:, rows])[0]) for name, rows in known.blocks.items()}
    return dict(sorted(found.items(), key=lambda pair: -pair[1]))


class TextJudge:
    """Scores reports for one archive.

    Args:
        unheard: entities whose reports are taken for unknown: what would a new one score?

    Raises:
        ValueError: the archive holds no entity that any report describes.
    """

    def __init__(
        self, block: TextCloseness, known: KnownSentences, *, unheard: Collection[str] = ()
    ) -> None:
        self.block = block
        self._known = known
        self.inside, self.outside = sides(block, known)
        if unheard:
            self.outside = self.outside.rows(~np.isin(self.outside.entities, list(unheard)))
        if not len(self.inside.vectors):
            raise ValueError("nothing to compare a report with")

    def asked(self, texts: Sequence[str], sentences: Embeddings) -> ReportSet:
        """Reports in both spaces: rows [n 384]."""
        words = object_array([words_of(text) for text in texts])
        whitened = self._known.whitened(sentences)
        return ReportSet(sentences, whitened, np.full(len(sentences), "", np.str_), words)

    def scores(self, texts: Sequence[str], sentences: Embeddings) -> NDArray[np.float64]:
        """See :func:`scores`, float64 [n]."""
        return scores(self.asked(texts, sentences), self.inside, self.outside)

    def likest_inside(self, sentence: Embeddings) -> str:
        """What a report [1 384] reads most like of all that the archive holds."""
        return next(iter(by_entity(self._known.whitened(sentence), self.inside)))

    def likest_outside(self, sentence: Embeddings) -> str:
        """What a report [1 384] reads most like among all that the archive lacks.

        Empty where that has no name: it is like several things, or no report at all.
        """
        first = list(by_entity(self._known.whitened(sentence), self.outside))[:NEAREST]
        return next((entity for entity in first if self.site_of(entity)), "")

    def site_of(self, entity: str) -> str:
        """Where an entity is seen; empty if that is not told."""
        return next((r.site for r in self._known.reports if r.entity == entity), "")


def sides(block: TextCloseness, known: KnownSentences) -> tuple[ReportSet, ReportSet]:
    """The reports of what an archive holds, and of what it lacks.

    A report of something else that names a label of the archive's own, for which the program has
    few words, belongs to neither side.
    """
    held = np.isin(known.entities, block.entities)
    names, counts = np.unique(known.entities[held], return_counts=True)
    few = [*block.unworded, *names[counts < _FEW].tolist()]
    unsure = np.array([_names(report.text, few) for report in known.reports]) & ~held
    inside = report_set(known, held & ~known.composed)
    outside = report_set(known, ~held & ~unsure & ~known.composed)
    for own in block.own:
        vectors = unpacked(own)
        entities = np.full(len(vectors), own.label)
        none = object_array([frozenset()] * len(vectors))
        inside = inside.with_rows(ReportSet(vectors, known.whitened(vectors), entities, none))
    return inside, outside


def packed(label: str, vectors: Embeddings) -> OwnReports:
    """Rows [n 384] as a manifest keeps them."""
    scaled = vectors * (127 / np.abs(vectors).max(axis=1, keepdims=True))
    rows = np.rint(scaled).astype(np.int8)
    return OwnReports(label=label, count=len(rows), vectors=b64encode(rows.tobytes()).decode())


def unpacked(own: OwnReports) -> Embeddings:
    """What :func:`packed` kept, float32 [count 384], L2 norm 1."""
    rows = np.frombuffer(b64decode(own.vectors), np.int8).reshape(own.count, -1).astype(np.float32)
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)


def _names(text: str, labels: Sequence[str]) -> bool:
    folded = text.casefold()
    return any(re.search(rf"\b{re.escape(label.casefold())}\b", folded) for label in labels)


def _nearest_mean(near: Similarities) -> NDArray[np.float32]:
    count = min(NEAREST, near.shape[1])
    return np.asarray(-np.partition(-near, count - 1, axis=1)[:, :count].mean(axis=1))


def _of_entities(near: Similarities, of: ReportSet) -> Similarities:
    """The mean of the three nearest of each entity, float32 [entities n]."""
    return np.stack([_nearest_mean(near[:, rows]) for rows in of.blocks.values()])


def _soft_maximum(each: Similarities) -> Similarities:
    most = each.max(axis=0)
    return np.asarray(most + np.log(np.exp(_SHARPNESS * (each - most)).sum(axis=0)) / _SHARPNESS)


def _coverage(
    asked: ReportSet, inside: ReportSet, outside: ReportSet, *, own_rows: bool
) -> NDArray[np.float64]:
    """The share of each report's words that reports of one entity inside use, float64 [n].

    A word weighs the logarithm of how few reports have it, and counts in full from three reports of
    the entity on.
    """
    reports = len(inside.words) + len(outside.words)
    found = np.zeros(len(asked.words))
    for row, words in enumerate(asked.words):
        own = str(asked.entities[row]) if own_rows else ""
        covered: defaultdict[str, float] = defaultdict(float)
        whole = 0.0
        for word in words:
            held = inside.vocabulary.get(word, Counter())
            others = outside.vocabulary.get(word, Counter())
            rarity = math.log((reports + 1) / (held.total() + others.total() + 1))
            whole += rarity
            for entity, count in held.items():
                covered[entity] += rarity * min(1, (count - (entity == own)) / NEAREST)
        found[row] = max(covered.values(), default=0) / whole if whole else 0
    return found
