"""How good is each way to build a query? Vector arithmetic on what was embedded once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.calibrating.candidates import Candidate
from coin_retrieval.calibrating.case_ranking import CaseRanking, CaseVectors, Scores
from coin_retrieval.calibrating.query_bank import EmbeddedQuery
from coin_retrieval.progress import Progress, counted, silent
from coin_retrieval.ranking.fusion import FusedQuery, fuse
from coin_retrieval.ranking.whitening import Whitening, whitening_of_store
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.types import Embeddings, SearchMode

Spaces = Mapping[float, Whitening | None]
"""The archive's metric by strength; 0 is the space as it is."""

UNWHITENED: Spaces = {0.0: None}
_CELLS = 8_000_000
"""Candidates × pictures that are held at once."""


def spaces_of(store: VectorStore, strengths: Iterable[float]) -> Spaces:
    """An archive's metrics, as a search has them, beside the space as it is."""
    return {0.0: None} | {s: whitening_of_store(store, strength=s) for s in strengths}


class CandidateScores:
    """Asks every candidate the same queries.

    All vectors of a query's candidates lie in the span of a dozen: its text, its prototypes and the
    means. So the archive is multiplied once by a basis of that span, and each candidate is a few
    numbers: hundreds of candidates cost little more than one.
    """

    def __init__(self, pictures: CaseVectors, *, spaces: Spaces = UNWHITENED, k: int = 10) -> None:
        self._pictures = pictures
        self._ranking = CaseRanking(pictures)
        self._spaces = spaces
        self._k = k

    def precisions(
        self,
        bank: Sequence[EmbeddedQuery],
        ways: Sequence[Candidate],
        *,
        on: Progress = silent,
    ) -> NDArray[np.float64]:
        """P@k, float64 [candidates queries]; a step is a query."""
        # rank sums need double precision, and the other scores half of its time
        summed = np.array([way.fusion.method == "rrf" for way in ways])
        groups = [rows for rows in (np.flatnonzero(~summed), np.flatnonzero(summed)) if len(rows)]

        def of_query(query: EmbeddedQuery) -> NDArray[np.float64]:
            values = np.empty(len(ways))
            for rows, scores, looks in self._blocks(query, ways, groups):
                values[rows] = self._ranking.precision(
                    scores, looks, query.asked.label, own_case=query.asked.case_id, k=self._k
                )
            return values

        # products, sorting and reduction, most of the time, run beside each other
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            tried = zip(counted(bank, "trying", on), pool.map(of_query, bank), strict=True)
            values = [of_one for _, of_one in tried]
        return np.array(values).reshape(len(bank), len(ways)).T

    def _blocks(
        self, query: EmbeddedQuery, ways: Sequence[Candidate], groups: Sequence[NDArray[np.intp]]
    ) -> Iterator[tuple[NDArray[np.intp], Scores, Scores]]:
        """Which candidates, by what their cases rank, and how near the pictures are."""
        basis = self._basis(query, ways)
        near = (basis @ self._pictures.vectors.T).astype(np.float32)
        step = max(1, _CELLS // near.shape[1])
        # weights move no row: most candidates fuse rankings that another one fuses, too
        rankings: dict[tuple[bytes, int], NDArray[np.intp]] = {}
        for rows in (group[n : n + step] for group in groups for n in range(0, len(group), step)):
            chosen = [ways[row] for row in rows]
            fused = [self._fused(query, way) for way in chosen]
            directions = np.concatenate([made.direction for made in fused])
            looks = (directions @ basis.T).astype(np.float32) @ near
            # most candidates rank by their one direction: only the others need rows of their own
            scores = looks.astype(np.float64) if chosen[0].fusion.method == "rrf" else looks
            for row, (way, made) in enumerate(zip(chosen, fused, strict=True)):
                if way.fusion.method == "mean" or len(made.rows) == 1:
                    continue
                each = (made.rows @ basis.T).astype(np.float32)
                if way.fusion.method == "max":
                    looks[row] = (each @ near).max(axis=0)
                else:
                    # as deep as a search that leaves a case out afterwards
                    cases = self._k + bool(query.asked.case_id)
                    scores[row] = self._ranking.rank_sums(
                        each, near, made.weights, k=cases, known=rankings
                    )
            yield rows, scores, looks

    def _fused(self, query: EmbeddedQuery, way: Candidate) -> FusedQuery:
        pictures = query.first(way.prototypes) if way.mode is not SearchMode.TEXT else None
        text = query.text if way.mode is not SearchMode.PROTOTYPE or pictures is None else None
        return fuse(
            way.fusion,
            text=text,
            prototypes=pictures,
            space=self._spaces[way.fusion.whitening],
        )

    def _basis(self, query: EmbeddedQuery, ways: Sequence[Candidate]) -> Embeddings:
        """Orthonormal rows float32 [m dim] that every candidate's vectors are made of."""
        parts = [part for part in (query.text, query.pictures) if part is not None]
        means = next((way.fusion.means for way in ways if way.fusion.means), None)
        if means is not None:
            parts.append(np.array([means.text, means.generated, means.real], np.float32))
        plain = np.concatenate(parts)
        spanning = [plain]
        for space in self._spaces.values():
            if space is not None:
                spanning.append(np.concatenate([plain, space.mean[None]]) @ space.precision)
        basis, _ = np.linalg.qr(np.concatenate(spanning).T.astype(np.float64))
        return np.ascontiguousarray(basis.T)
