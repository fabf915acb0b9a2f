"""How good is each way to build a query? Vector arithmetic on what was embedded once."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.calibrating.candidates import Candidate
from coin_retrieval.calibrating.case_ranking import CaseRanking, CaseVectors, RankFusion, Scores
from coin_retrieval.calibrating.query_bank import EmbeddedQuery
from coin_retrieval.progress import Progress, counted, silent
from coin_retrieval.ranking.fusion import fuse
from coin_retrieval.ranking.whitening import Whitening, whitening_of_store
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.types import Embeddings, SearchMode

Spaces = Mapping[float, Whitening | None]
"""The archive's metric by strength; 0 is the space as it is."""

UNWHITENED: Spaces = {0.0: None}
_CELLS = 8_000_000
"""Rows × pictures that are held at once."""
_TOGETHER = 128
"""Queries that are fused beside each other."""


def spaces_of(store: VectorStore, strengths: Iterable[float]) -> Spaces:
    """An archive's metrics, as a search has them, beside the space as it is."""
    return {0.0: None} | {s: whitening_of_store(store, strength=s) for s in strengths}


@dataclass(frozen=True, slots=True)
class _Asked:
    """Some queries by every candidate, as coordinates float32 [… m] in each query's ``basis``.

    ``near`` has the candidates that rank by similarity, by their number of rows: which they are,
    and [candidates queries rows m]. ``ranked`` has those that fuse rankings, with the rows
    [queries rows m], their weights and the one direction [queries 1 m].
    """

    basis: Embeddings
    near: dict[int, tuple[list[int], list[Embeddings]]]
    ranked: dict[int, tuple[Embeddings, NDArray[np.float64], Embeddings]] = field(
        default_factory=dict
    )


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
        values = np.empty((len(ways), len(bank)))
        groups = list(_alike(bank, ways))
        places = [place for group in groups for place in group]

        def of_groups() -> Iterator[NDArray[np.float64]]:
            # products, sorting and reduction, most of the time, run beside each other
            with ThreadPoolExecutor(os.cpu_count()) as pool:
                for group in groups:
                    queries = [bank[place] for place in group]
                    asked = self._fused(queries, ways)
                    yield from pool.map(
                        lambda number, asked=asked, queries=queries: self._precision(
                            asked, number, queries[number], len(ways)
                        ),
                        range(len(queries)),
                    )

        for place, found in zip(counted(places, "trying", on), of_groups(), strict=True):
            values[:, place] = found
        return values

    def _precision(
        self, asked: _Asked, number: int, query: EmbeddedQuery, ways: int
    ) -> NDArray[np.float64]:
        """P@k of one of the queries, float64 [candidates]."""
        values = np.empty(ways)
        label, own_case = query.asked.label, query.asked.case_id
        near = asked.basis[number].astype(np.float32) @ self._pictures.vectors.T
        images = near.shape[1]
        for count, (places, rows) in asked.near.items():
            step = max(1, _CELLS // (count * images))
            for start in range(0, len(places), step):
                some = np.concatenate([each[number] for each in rows[start : start + step]]) @ near
                scores: Scores = some.reshape(-1, count, images).max(axis=1) if count > 1 else some
                values[places[start : start + step]] = self._ranking.precision(
                    scores, label, own_case=own_case, k=self._k
                )
        fusions = [
            RankFusion(rows[number], weights, direction[number, 0])
            for rows, weights, direction in asked.ranked.values()
        ]
        values[list(asked.ranked)] = self._ranking.fused_precision(
            near, fusions, label, own_case=own_case, k=self._k
        )
        return values

    def _fused(self, queries: Sequence[EmbeddedQuery], ways: Sequence[Candidate]) -> _Asked:
        """Queries of as many pictures each, fused by every candidate."""
        basis = np.stack([self._basis(query, ways) for query in queries])
        into, asked = np.swapaxes(basis, 1, 2), _Asked(basis, defaultdict(lambda: ([], [])))
        for place, way in enumerate(ways):
            of_mode = [_of_mode(query, way) for query in queries]
            made = fuse(
                way.fusion,
                text=_stacked([text for text, _ in of_mode]),
                prototypes=_stacked([pictures for _, pictures in of_mode]),
                space=self._spaces[way.fusion.whitening],
            )
            count = made.rows.shape[1]
            direction = (made.direction @ into).astype(np.float32)
            if made.method == "rrf" and count > 1:
                rows = (made.rows @ into).astype(np.float32)
                asked.ranked[place] = rows, made.weights, direction
                continue
            each = made.method == "max" and count > 1
            places, of_count = asked.near[count if each else 1]
            places.append(place)
            of_count.append((made.rows @ into).astype(np.float32) if each else direction)
        return asked

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


def _of_mode(query: EmbeddedQuery, way: Candidate) -> tuple[Embeddings | None, Embeddings | None]:
    """The text and the pictures that a candidate asks with."""
    pictures = query.first(way.prototypes) if way.mode is not SearchMode.TEXT else None
    return (
        query.text if way.mode is not SearchMode.PROTOTYPE or pictures is None else None,
        pictures,
    )


def _stacked(parts: Sequence[Embeddings | None]) -> Embeddings | None:
    """Of queries that are alike: float32 [queries n dim]."""
    there = [part for part in parts if part is not None]
    return np.stack(there) if there else None


def _alike(bank: Sequence[EmbeddedQuery], ways: Sequence[Candidate]) -> Iterator[list[int]]:
    """Places of queries of which every candidate has as many rows."""
    counts = {way.prototypes for way in ways if way.mode is not SearchMode.TEXT}
    alike: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for place, query in enumerate(bank):
        made = (query.pictures, *(query.first(count) for count in sorted(counts)))
        alike[int(query.text is None), *(0 if rows is None else len(rows) for rows in made)].append(
            place
        )
    for places in alike.values():
        for start in range(0, len(places), _TOGETHER):
            yield places[start : start + _TOGETHER]
