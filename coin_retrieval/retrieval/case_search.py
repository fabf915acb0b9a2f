"""The k nearest cases of a query: an archive's store ranks images, its catalog knows whose."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from coin_retrieval.catalog.base import Catalog, Where
from coin_retrieval.config import FusionMethod
from coin_retrieval.errors import ArchiveCorruptError, NotFoundError
from coin_retrieval.retrieval.fusion import (
    FusedQuery,
    maximum_fusion,
    reciprocal_rank_fusion,
    similarities,
)
from coin_retrieval.retrieval.grouping import first_cases, group_by_case
from coin_retrieval.retrieval.timing import Stopwatch
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.types import CaseMatch, Hit, ImageId, ImageIds, ImageRecord, Match

_IMAGES_A_CASE = 4
_GROWTH = 4


class CaseSearch:
    """Finds cases in one archive; ``method`` as in the settings of fusion."""

    def __init__(self, store: VectorStore, catalog: Catalog, *, method: FusionMethod) -> None:
        self._store = store
        self._catalog = catalog
        self._method = method

    def select(self, where: Where, watch: Stopwatch) -> ImageIds | None:
        """The images that fit a filter, int64 [n]; ``None``, for all, if it is empty.

        Raises:
            FilterError: a field that the catalog does not have.
        """
        if not where:
            return None
        with watch.stage("catalog"):
            return self._catalog.select(where)

    def find(
        self, fused: FusedQuery, k: int, watch: Stopwatch, *, allowed: ImageIds | None = None
    ) -> list[CaseMatch]:
        """The ``k`` nearest cases, best first; fewer where ``allowed`` images have fewer.

        More images are asked for until ``k`` distinct cases are there or the store is exhausted.
        ``rrf`` ranks cases by their best image's fused rank, ``mean`` and ``max`` by its
        similarity.

        Raises:
            ArchiveCorruptError: store and catalog name different images.
        """
        wanted = _IMAGES_A_CASE * k
        images: dict[ImageId, ImageRecord] = {}
        while True:
            with watch.stage("search"):
                hits, exhausted = self._rank(fused, wanted, allowed)
            with watch.stage("catalog"):
                images |= self._records(h.image_id for h in hits if h.image_id not in images)
            order = first_cases(hits, images, k)
            if exhausted or len(order) == k:
                break
            wanted *= _GROWTH
        with watch.stage("catalog"):
            further = self._further_images(order, {hit.image_id for hit in hits}, allowed)
            cases = self._catalog.cases(order)
        with watch.stage("search"):
            hits += self._measure(list(further), fused)
        images |= further
        matches = [Match(images[hit.image_id], hit.similarity) for hit in hits]
        grouped = group_by_case(order, matches, cases)
        if self._method != "rrf":
            grouped.sort(key=lambda case: -case.similarity)
        return grouped

    def _rank(
        self, fused: FusedQuery, wanted: int, allowed: ImageIds | None
    ) -> tuple[list[Hit], bool]:
        """Hits, best first, and whether there are no others."""
        if self._method == "mean" or len(fused.rows) == 1:
            hits = self._store.search(fused.direction, wanted, allowed=allowed)[0]
            return hits, len(hits) < wanted
        rankings = self._store.search(fused.rows, wanted, allowed=allowed)
        exhausted = all(len(ranking) < wanted for ranking in rankings)
        if self._method == "max":
            # beyond so many, an id may be listed by a row that is not its nearest
            return maximum_fusion(rankings)[:wanted], exhausted
        ids = reciprocal_rank_fusion(rankings, fused.weights)
        return self._measure(ids, fused), exhausted

    def _further_images(
        self, order: Sequence[str], near: set[ImageId], allowed: ImageIds | None
    ) -> dict[ImageId, ImageRecord]:
        """These cases' images that the filter allows and that are not near the query."""
        fitting = None if allowed is None else set(allowed.tolist())
        return {
            image.image_id: image
            for case_id in order
            for image in self._catalog.case_images(case_id)
            if image.image_id not in near and (fitting is None or image.image_id in fitting)
        }

    def _measure(self, ids: Sequence[ImageId], fused: FusedQuery) -> list[Hit]:
        """Hits of given images, in their order."""
        if not ids:
            return []
        try:
            rows = self._store.vectors(np.array(ids, np.int64))
        except NotFoundError as error:
            raise _disagreement(str(error)) from error
        near = similarities(fused, rows, self._method)
        return [Hit(i, float(s)) for i, s in zip(ids, near, strict=True)]

    def _records(self, ids: Iterable[ImageId]) -> dict[ImageId, ImageRecord]:
        wanted = list(ids)
        records = self._catalog.images(wanted)
        lost = [i for i in wanted if i not in records]
        if lost:
            raise _disagreement(f"{len(lost)} ids without a record, {lost[0]} the first")
        return records


def _disagreement(value: str) -> ArchiveCorruptError:
    return ArchiveCorruptError(
        "the archive's store and catalog name different images",
        value=value,
        expected="a record for every embedding",
        remedy="run coin-index verify, then build the archive again",
    )
