"""An archive's pictures in memory, ranked by case with plain arithmetic.

What a search answers, for hundreds of query vectors at once: no index, no catalog, no records.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
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
_SHALLOW = 4
"""Strands of fewer scores are not worth their maxima."""


@dataclass(frozen=True, slots=True)
class CaseVectors:
    """A part of an archive, its pictures in the order of their cases, within a case by id.

    Cases of one picture come first.

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
    of_case = Counter(image.case_id for image in pictures.images)
    images = sorted(pictures.images, key=lambda image: of_case[image.case_id] > 1)
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


@dataclass(frozen=True, slots=True)
class RankFusion:
    """Rankings to fuse: ``rows`` float32 [rankings m], ``weights`` float64 [rankings].

    ``direction`` float32 [m] tells the nearest picture of a case.
    """

    rows: Embeddings
    weights: NDArray[np.float64]
    direction: NDArray[np.float32]


class CaseRanking:
    """Ranks the cases of some pictures; a case is as near as its nearest picture."""

    def __init__(self, pictures: CaseVectors) -> None:
        self._pictures = pictures
        self._place = {case_id: place for place, case_id in enumerate(pictures.cases)}
        sizes = np.diff(pictures.starts, append=len(pictures.ids))
        self._images = [slice(s, s + n) for s, n in zip(pictures.starts, sizes, strict=True)]
        self._of_case = np.repeat(np.arange(len(sizes)), sizes)
        self._alone = int((sizes == 1).sum())

    def precision(
        self, scores: Scores, label: str, *, own_case: str = "", k: int = 10
    ) -> NDArray[np.float64]:
        """P@k of each row for a query with this label, float64 [queries].

        Args:
            scores: by which pictures are ranked; those of ``own_case``, which is left out, become
                −∞.
        """
        if own_case in self._place:
            scores[:, self._images[self._place[own_case]]] = -np.inf
        images = _highest(scores[:, : self._alone], k)
        found = np.take_along_axis(scores, images, axis=1)
        if self._alone < len(self._images):
            starts = self._pictures.starts[self._alone :]
            best = np.maximum.reduceat(scores[:, self._alone :], starts - self._alone, axis=1)
            several = _highest(best, k)
            images = np.hstack([images, starts[several]])
            found = np.hstack([found, np.take_along_axis(best, several, axis=1)])
        top = _highest(found, k)
        images = np.take_along_axis(images, top, axis=1)
        found = np.take_along_axis(found, top, axis=1)
        for row, column in zip(*np.nonzero(images >= self._alone), strict=True):
            case = self._of_case[images[row, column]]
            images[row, column] += np.argmax(scores[row, self._images[case]])
        right = (self._pictures.labels[images] == label) & (found > -np.inf)
        return np.asarray(right.sum(axis=1) / k, np.float64)

    def fused_precision(
        self,
        near: Scores,
        fusions: Sequence[RankFusion],
        label: str,
        *,
        own_case: str = "",
        k: int = 10,
    ) -> NDArray[np.float64]:
        """P@k of reciprocal rank fusions for a query with this label, float64 [fusions].

        Each ranking is as deep as a search of ``k`` cases asks for, and deeper until there are so
        many.

        Args:
            near: float32 [m images], the pictures in the basis that the fusions are in.
        """
        if not fusions:
            return np.empty(0)
        # weights move no row: most fuse rankings that another one fuses, too
        rows, used = np.unique(
            np.concatenate([one.rows for one in fusions]), axis=0, return_inverse=True
        )
        rankings: dict[int, NDArray[np.intp]] = {}
        cases = k + (own_case in self._place)
        precisions, start = [], 0
        for one in fusions:
            own = used[start : start + len(one.rows)]
            start += len(own)
            wanted = _IMAGES_A_CASE * cases
            while True:
                depth = min(wanted, near.shape[1])
                if depth not in rankings:
                    rankings[depth] = _first(rows @ near, depth)
                found = self._first_cases(rankings[depth][own], one.weights, cases)
                if depth == near.shape[1] or len(found) == cases:
                    break
                wanted *= _GROWTH
            others = [case for case in found if self._pictures.cases[case] != own_case][:k]
            nearest = [self._nearest(one.direction, near, case) for case in others]
            precisions.append((self._pictures.labels[nearest] == label).sum() / k)
        return np.array(precisions)

    def _first_cases(
        self, rankings: NDArray[np.intp], weights: NDArray[np.float64], count: int
    ) -> list[int]:
        """The first cases by the sums of their images' reciprocal ranks; ties: the lower id."""
        images, place = np.unique(rankings, return_inverse=True)
        gains = weights[:, None] / (RRF_CONSTANT + np.arange(1, rankings.shape[1] + 1))
        sums = np.bincount(place.ravel(), gains.ravel())
        listed = images[np.lexsort((self._pictures.ids[images], -sums))]
        return list(dict.fromkeys(self._of_case[listed].tolist()))[:count]

    def _nearest(self, direction: NDArray[np.float32], near: Scores, case: int) -> int:
        """The picture by which a case is found."""
        images = self._images[case]
        return int(images.start + np.argmax(direction @ near[:, images]))


def _highest(scores: Scores, count: int) -> NDArray[np.intp]:
    """Places of the highest of each row, in no order, int64 [rows, at most count].

    They lie in the ``count`` strands with the highest maxima, and only these are sorted: a maximum
    costs a quarter of a partition.
    """
    rows, columns = scores.shape
    if columns <= count:
        return np.tile(np.arange(columns), (rows, 1))
    strands = math.isqrt(count * columns)
    deep = columns // strands
    if deep < _SHALLOW:
        return np.argpartition(scores, -count, axis=1)[:, -count:]
    whole = deep * strands
    maxima = scores[:, :whole].reshape(rows, deep, strands).max(axis=1)
    best = np.argpartition(maxima, -count, axis=1)[:, -count:]
    candidates = (best[:, None] + strands * np.arange(deep)[None, :, None]).reshape(rows, -1)
    candidates = np.hstack([candidates, np.tile(np.arange(whole, columns), (rows, 1))])
    values = np.take_along_axis(scores, candidates, axis=1)
    top = np.argpartition(values, -count, axis=1)[:, -count:]
    return np.take_along_axis(candidates, top, axis=1)


def _first(scores: Scores, depth: int) -> NDArray[np.intp]:
    """The best images of each row, best first, of equal ones the earlier: int64 [rows depth]."""
    nearest = _highest(scores, depth)
    order = np.lexsort((nearest, -np.take_along_axis(scores, nearest, axis=1)), axis=1)
    return np.take_along_axis(nearest, order, axis=1)
