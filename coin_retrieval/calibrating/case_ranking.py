"""An archive's pictures in memory, ranked by case with plain arithmetic.

What a search answers, for hundreds of query vectors at once: no index, no catalog, no records.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.archive import Archive
from coin_retrieval.calibrating.labelled_pictures import LabelledPictures
from coin_retrieval.ranking.fusion import RRF_CONSTANT
from coin_retrieval.types import Embeddings, Origin

Scores = NDArray[np.floating[Any]]
"""[queries images]: how near each picture is to each query; higher is nearer."""

_IMAGES_A_CASE = 4
_GROWTH = 4


@dataclass(frozen=True, slots=True)
class CaseVectors:
    """A part of an archive, its pictures in the order of their cases, within a case by id.

    ``vectors`` float32 [images dim]; ``labels`` [images]; ``real`` bool [images]; case i's
    pictures begin at ``starts[i]``, and ``cases`` [cases] are the ids.
    """

    vectors: Embeddings
    labels: NDArray[np.str_]
    real: NDArray[np.bool_]
    ids: NDArray[np.int64]
    starts: NDArray[np.int64]
    cases: tuple[str, ...]

    @property
    def mean(self) -> tuple[float, ...]:
        """The mean embedding of the real pictures, [dim]; of all, where none is real."""
        rows = self.vectors[self.real] if self.real.any() else self.vectors
        return tuple(rows.mean(axis=0, dtype=np.float64).tolist())


def case_vectors(archive: Archive, pictures: LabelledPictures) -> CaseVectors:
    """The embeddings of these pictures beside what a ranking asks of them."""
    images = pictures.images
    ids = np.array([image.image_id for image in images], np.int64)
    cases = [image.case_id for image in images]
    starts = [place for place in range(len(cases)) if not place or cases[place - 1] != cases[place]]
    return CaseVectors(
        vectors=archive.store.vectors(ids),
        labels=np.array([pictures.label(image) for image in images]),
        real=np.array([image.origin is Origin.REAL for image in images]),
        ids=ids,
        starts=np.array(starts, np.int64),
        cases=tuple(cases[start] for start in starts),
    )


class CaseRanking:
    """Ranks the cases of some pictures; a case is as near as its nearest picture."""

    def __init__(self, pictures: CaseVectors) -> None:
        self._pictures = pictures
        self._place = {case_id: place for place, case_id in enumerate(pictures.cases)}
        self._ends = np.append(pictures.starts[1:], len(pictures.ids))
        # equal rank sums go to the lower id, as in a search
        self._tie = np.argsort(np.argsort(pictures.ids)) * (1e-12 / len(pictures.ids))
        of_case = np.repeat(np.arange(len(pictures.cases)), self._ends - pictures.starts)
        self._of_case = of_case
        self._most = max(Counter(of_case.tolist()).values())

    def precision(
        self, scores: Scores, looks: Scores, label: str, *, own_case: str = "", k: int = 10
    ) -> NDArray[np.float64]:
        """P@k of each row for a query with this label, float64 [queries].

        Args:
            scores: by which cases are ranked.
            looks: by which the nearest picture of a case, whose label counts, is told.
            own_case: is left out.
        """
        right = self._pictures.labels == label
        best = self._best(scores, own_case)
        k_found = min(k, best.shape[1])
        top = np.argpartition(best, -k_found, axis=1)[:, -k_found:]
        lasting = np.take_along_axis(best, top, axis=1) > -np.inf
        if self._most == 1:
            return np.asarray((right[top] & lasting).sum(axis=1) / k, np.float64)
        hits = np.zeros(len(scores))
        for row, cases in enumerate(top):
            for case in cases[lasting[row]]:
                start, end = self._pictures.starts[case], self._ends[case]
                hits[row] += right[start + int(np.argmax(looks[row, start:end]))]
        return hits / k

    def rank_sums(
        self,
        rows: Embeddings,
        near: Scores,
        weights: NDArray[np.float64],
        *,
        k: int = 10,
        known: dict[tuple[bytes, int], NDArray[np.intp]],
    ) -> NDArray[np.float64]:
        """Reciprocal rank fusion of rows, float64 [images]; unranked is −∞.

        Each ranking is as deep as a search of ``k`` cases asks for, and deeper until there are so
        many.

        Args:
            rows: float32 [rankings m], in the basis that ``near`` [m images] is of.
            known: rankings by row and depth: what is here is not ranked again.
        """
        images = near.shape[1]
        wanted = _IMAGES_A_CASE * k
        while True:
            depth = min(wanted, images)
            sums = np.zeros(images)
            for row, weight in zip(rows, weights, strict=True):
                key = row.tobytes(), depth
                if key not in known:
                    known[key] = _first(row @ near, depth)
                sums[known[key]] += weight / (RRF_CONSTANT + np.arange(1, depth + 1))
            listed = sums > 0
            if depth == images or len(np.unique(self._of_case[listed])) >= k:
                return np.where(listed, sums - self._tie, -np.inf)
            wanted *= _GROWTH

    def _best(self, scores: Scores, own_case: str) -> Scores:
        """Each case's highest score, [queries cases]; −∞ for the case that is left out."""
        if self._most == 1:
            best = scores.copy() if own_case in self._place else scores
        else:
            best = np.maximum.reduceat(scores, self._pictures.starts, axis=1)
        if own_case in self._place:
            best[:, self._place[own_case]] = -np.inf
        return np.asarray(best)


def _first(scores: Scores, depth: int) -> NDArray[np.intp]:
    """The best images, best first, of equal ones the earlier: int64 [depth]."""
    nearest = np.argpartition(-scores, depth - 1)[:depth]
    return nearest[np.lexsort((nearest, -scores[nearest]))]
