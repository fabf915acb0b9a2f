"""Labelled reports with everything a model can make of them, embedded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from coin_retrieval.config import ModalityMeans
from coin_retrieval.errors import InputError, UndrawableError, UnsupportedError
from coin_retrieval.progress import Progress, counted, silent
from coin_retrieval.prototypes.gate import FURTHER
from coin_retrieval.reports.plain import affirms
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.types import Embeddings, SearchMode
from coin_retrieval.wordings.labelled_reports import LabelledReport


@dataclass(frozen=True, slots=True)
class EmbeddedQuery:
    """``text`` float32 [1 dim], ``pictures`` float32 [n dim]; ``None`` where no model makes them.

    A report that the generator never learned to draw is its text in every mode, as a search has it.

    The pictures are the prototypes that passed the gate; ``seeds`` says of which seed each is,
    counted from the first one planned.
    """

    asked: LabelledReport
    text: Embeddings | None
    pictures: Embeddings | None
    seeds: tuple[int, ...] = ()

    def first(self, n: int) -> Embeddings | None:
        """The pictures of a search for ``n``, float32 [at most n dim]; ``None`` for none."""
        if self.pictures is None:
            return None
        reached = sum(seed < n + FURTHER for seed in self.seeds[:n])
        return self.pictures[:reached] if reached else None


def modes_to_try(retriever: Retriever) -> list[SearchMode]:
    """The modes that a report can be searched with, whatever an earlier calibration preferred.

    Raises:
        UnsupportedError: there is none.
    """
    modes = [mode for mode in SearchMode if mode in retriever.planner.modes]
    if not modes:
        raise UnsupportedError(
            "there is nothing to choose from",
            expected="an encoder that reads text, or a generator",
            remedy="set a generator",
        )
    return modes


def askable(retriever: Retriever, queries: Sequence[LabelledReport]) -> list[LabelledReport]:
    """The reports that a search can use: where the encoder reads no text, those that can be drawn.

    Raises:
        InputError: there is none.
    """
    drawer = retriever.drawer
    if retriever.planner.reads_text or drawer is None:
        return list(queries)
    kept = []
    for query in queries:
        plan = retriever.plan(query_of(query.report, mode=SearchMode.PROTOTYPE))
        if plan.words is None or drawer.knows(plan.words.searched):
            kept.append(query)
    if not kept:
        raise InputError(
            "the generator never learned to draw any of these reports",
            value=drawer.name,
            expected="findings that its training pictures show: the encoder reads no text",
            remedy="name a generator that knows them",
        )
    return kept


def query_of(report: str, **named: Any) -> Query:
    """A report that affirms nothing is searched as it is written, as its reader would be told."""
    return Query.of(report=report, as_written=not affirms(report), **named)


def embed_queries(
    retriever: Retriever,
    queries: Sequence[LabelledReport],
    *,
    modes: Sequence[SearchMode],
    prototypes: int,
    seed: int = 0,
    gate: bool = True,
    on: Progress = silent,
) -> list[EmbeddedQuery]:
    """Read, draw and embed what ``modes`` need; a step is a report.

    Args:
        gate: whether drawings that show something else are left out.

    Raises:
        ReportError, InputError: a report, or the number of prototypes, cannot be used.
        UnsupportedError: a mode needs a power that the encoder or the set-up lacks.
        GenerationError: a prototype came out blank or non-finite, or is none of :func:`askable`.
    """
    wanted = set(modes)
    mode = SearchMode.FUSED if wanted != {SearchMode.TEXT} else SearchMode.TEXT
    if wanted == {SearchMode.PROTOTYPE}:
        mode = SearchMode.PROTOTYPE
    bank = []
    for query in counted(queries, "embedding", on):
        asked = query_of(query.report, mode=mode, prototypes=prototypes, seed=seed, gate=gate)
        plan = retriever.plan(asked)
        try:
            made = retriever.embed(plan)
        except UndrawableError:
            if not retriever.planner.reads_text:
                raise
            made = retriever.embed(retriever.planner.without_drawings(plan))
        seeds = tuple(one.provenance.seed - seed for one in made.counted)
        bank.append(EmbeddedQuery(query, made.text, made.pictures, seeds))
    return bank


def modality_means(bank: Sequence[EmbeddedQuery], real: Sequence[float]) -> ModalityMeans:
    """Where these queries' texts and prototypes lie, beside where real pictures do.

    Labels play no part. A modality that nobody made stands at the real mean: it is not moved.
    """
    origin = np.asarray(real, np.float32)[None]
    texts = [query.text for query in bank if query.text is not None] or [origin]
    drawn = [query.pictures for query in bank if query.pictures is not None] or [origin]
    return ModalityMeans(text=_mean(texts), generated=_mean(drawn), real=tuple(real))


def _mean(parts: Sequence[np.ndarray]) -> tuple[float, ...]:
    mean = np.concatenate(parts).mean(axis=0, dtype=np.float64)
    return tuple(round(value, 8) for value in mean.tolist())
