"""The gate in a search: drawings that show something else are drawn anew, and never count."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np

from coin_retrieval.archive import Archive
from coin_retrieval.errors import GenerationError
from coin_retrieval.limits import MAX_SEED
from coin_retrieval.progress import Progress, silent
from coin_retrieval.prototypes.gate import FURTHER, NAME, Readable, Verdict, judge, readable
from coin_retrieval.search.plan import WordsPlan
from coin_retrieval.search.query_embedder import EmbeddedWords, QueryEmbedder
from coin_retrieval.timing import Stopwatch
from coin_retrieval.types import Embeddings, ImageIds

SAMPLE = 500
"""Pictures of a label that its mean is taken from."""
_LABELS = 1000


class DrawingGate:
    """Reads drawings back by the labels of one archive. Safe for several threads."""

    def __init__(self, archive: Archive, embedder: QueryEmbedder) -> None:
        self._archive = archive
        self._embedder = embedder

    def passed(
        self, plan: WordsPlan, words: EmbeddedWords, watch: Stopwatch, on: Progress = silent
    ) -> EmbeddedWords:
        """The words with those drawings that show what they were drawn for, and all verdicts.

        In place of each of the others a further seed is drawn, :data:`.FURTHER` at most; where none
        passes, ``pictures`` is ``None``.

        Raises:
            CacheError: the cache cannot be written.
        """
        drawing = plan.drawing
        if drawing is None or drawing.gate != NAME or words.pictures is None:
            return words
        known = self._readable
        if known is None:
            return words
        text = words.text if words.text is not None else self._embedder.text(plan.searched, watch)
        prototypes, rows = list(words.prototypes), words.pictures
        verdicts = judge(rows, known, text)
        last = drawing.pictures[-1]
        # where a majority judged, further drawings lost on some archives and gained on none
        left = min(FURTHER, MAX_SEED - last.seed) if text is not None else 0
        while left > 0 and (missing := _missing(verdicts, len(drawing.pictures))):
            count = min(missing, left)
            seeds = range(last.seed + 1, last.seed + 1 + count)
            more = [replace(last, seed=seed) for seed in seeds]
            try:
                drawn, further = self._embedder.drawings(more, watch, on)
            except GenerationError:
                break  # what there is must do
            prototypes += drawn
            rows = np.concatenate([rows, further])
            verdicts = judge(rows, known, text)
            last, left = more[-1], left - count
        passing = [place for place, verdict in enumerate(verdicts) if verdict.counts]
        return EmbeddedWords(
            words.text, rows[passing] if passing else None, tuple(prototypes), tuple(verdicts)
        )

    @cached_property
    def _readable(self) -> Readable | None:
        return readable(dict(self._pictures()))

    def _pictures(self) -> Iterator[tuple[str, Embeddings]]:
        """Labels and pictures of each: findings, and diagnoses where no finding is named."""
        catalog, store = self._archive.catalog, self._archive.store
        findings = list(catalog.values("finding"))[:_LABELS]
        named = catalog.select({"finding": findings})
        for field, names in (("finding", findings), ("diagnosis", catalog.values("diagnosis"))):
            for name in list(names)[:_LABELS]:
                ids = _some(catalog.select({field: [name]}))
                if field == "diagnosis":
                    ids = np.setdiff1d(ids, named, assume_unique=True)
                if len(ids):
                    yield name, store.vectors(ids)


def _missing(verdicts: Sequence[Verdict], wanted: int) -> int:
    return max(0, wanted - sum(verdict.counts for verdict in verdicts))


def _some(ids: ImageIds) -> ImageIds:
    if len(ids) <= SAMPLE:
        return ids
    return np.sort(np.random.default_rng(0).choice(ids, SAMPLE, replace=False))
