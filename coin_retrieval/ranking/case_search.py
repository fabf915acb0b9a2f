"""The k nearest cases of a query: an archive's store ranks images, its catalog knows whose."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from coin_retrieval.archive.measured.calibration import PLACES
from coin_retrieval.catalog.base import Catalog, Where
from coin_retrieval.errors import ArchiveCorruptError, NotFoundError
from coin_retrieval.ranking.diversity import WORTH_A_LOOK, diversify, repeats
from coin_retrieval.ranking.fusion import (
    FusedQuery,
    maximum_fusion,
    reciprocal_rank_fusion,
    similarities,
)
from coin_retrieval.ranking.grouping import first_cases, first_hits, group_by_case, with_repeats
from coin_retrieval.ranking.near_duplicates import Likeness, glance, is_field
from coin_retrieval.ranking.parts import Ranks, ranks_of
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.timing import Stopwatch
from coin_retrieval.types import (
    CaseMatch,
    Embeddings,
    Hit,
    ImageId,
    ImageRecord,
    Match,
    RgbImage,
    RowMask,
)

_IMAGES_A_CASE = 4
_GROWTH = 4
_COMPARED = 400
"""Pictures beyond so many are not compared: bounds the work where few cases have thousands."""
_FIELDS_COMPARED = 90
"""Beyond so many only copies are looked for, not fields that overlap: some 4,000 pairs."""
DEPTH = 1000
"""Ranks of a part alone are told down to this one."""
_COPIES = 20
"""So many of a picture's nearest are looked at for copies of it."""
_POOL = 5
"""So many times the cases wanted are there to choose different ones from."""
_POOL_CASES = 300
"""But no more than so many."""
_Ask = Callable[[Embeddings, int], list[list[Hit]]]


@dataclass(frozen=True, slots=True)
class Found:
    """``cases`` as they are listed, and the ``nearest`` ones, at least three.

    They differ where diversity is asked for: what the nearest cases say must not depend on how a
    list is varied. ``own`` are the query's own cases, which neither lists. ``ties`` are pairs of
    cases of which one has a picture that repeats the other's. ``rankings`` are of the query's rows
    where ranks were fused, else empty. ``exact`` is whether every picture was looked at, ``bounds``
    say in words where work was cut short.
    """

    cases: tuple[CaseMatch, ...]
    nearest: tuple[CaseMatch, ...]
    own: tuple[CaseMatch, ...]
    ties: tuple[tuple[str, str], ...]
    rankings: tuple[Ranks, ...]
    exact: bool
    bounds: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Near:
    """Case ids and images, best first; ``folded``: images that repeat another, and which.

    ``hidden`` are those of them that are not listed.
    """

    cases: tuple[str, ...]
    hits: list[Hit]
    images: dict[ImageId, ImageRecord]
    folded: dict[ImageId, ImageId]
    hidden: Collection[ImageId]
    rankings: tuple[Ranks, ...]


class CaseSearch:
    """Finds cases in one archive.

    Args:
        thumbnail: where an image's thumbnail lies, by which near duplicates are told; ``None``
            folds equal contents only.
    """

    def __init__(
        self,
        store: VectorStore,
        catalog: Catalog,
        *,
        thumbnail: Callable[[ImageRecord], Path] | None = None,
    ) -> None:
        self._store = store
        self._catalog = catalog
        self._likeness = Likeness(thumbnail)

    def select(self, where: Where, watch: Stopwatch) -> RowMask | None:
        """The images that fit a filter, by row; ``None``, for all, if it is empty.

        Raises:
            FilterError: a field that the catalog does not have.
        """
        if not where:
            return None
        with watch.stage("catalog"):
            return self._catalog.mask(where)

    def find(
        self,
        fused: FusedQuery,
        k: int,
        watch: Stopwatch,
        *,
        allowed: RowMask | None = None,
        where: Where | None = None,
        diversity: float = 0.0,
        near_duplicates: bool = False,
        width: float | None = None,
        own: Sequence[str] = (),
    ) -> Found:
        """The ``k`` nearest cases, best first; fewer where ``allowed`` images have fewer.

        More images are asked for until ``k`` distinct cases are there or the store is exhausted.
        ``rrf`` ranks cases by their best image's fused rank, ``mean`` and ``max`` by its
        similarity.

        Args:
            where: the filter that ``allowed`` answers, if it is one.
            diversity: above 0, the cases listed are chosen from five times as many, up to 300, by
                maximal marginal relevance.
            near_duplicates: ``False`` folds a picture that repeats another case's under that case.
            width: how many times as widely as it is set an approximate index is searched.
            own: the query's own cases, which are found apart.

        Raises:
            ArchiveCorruptError: store and catalog name different images.
        """
        # a score needs its places, however few cases are to be listed
        shown = max(k, PLACES)
        pool = max(shown, min(k * _POOL, _POOL_CASES)) if diversity else shown
        wanted = pool + len(own)
        ask = partial(self._store.search, allowed=allowed, where=where, width=width)
        near = self._nearest(fused, wanted, watch, ask, fold=not near_duplicates)
        near = replace(near, cases=tuple(case for case in near.cases if case not in own))
        with watch.stage("search"):
            chosen = self._choose(near, k, diversity, ranked=fused.method == "rrf")
        listed = tuple(dict.fromkeys((*near.cases[:shown], *chosen)))
        with watch.stage("catalog"):
            further = self._further_images(listed, near.images.keys(), allowed)
            further |= self._further_images(own, near.images.keys(), None)
            records = self._catalog.cases((*listed, *own))
        with watch.stage("search"):
            hits = [*near.hits, *self._measure(list(further), fused)]
        images = near.images | further
        matches = {hit.image_id: Match(images[hit.image_id], hit.similarity) for hit in hits}
        shown_alone = [match for i, match in matches.items() if i not in near.hidden]
        grouped = group_by_case(listed, shown_alone, records)
        hidden = {repeat: near.folded[repeat] for repeat in near.hidden}
        by_case = {found.case.case_id: found for found in with_repeats(grouped, hidden, matches)}
        nearest = [by_case[case_id] for case_id in near.cases[:shown]]
        if fused.method != "rrf":
            nearest.sort(key=lambda case: -case.similarity)
        cases = [by_case[case_id] for case_id in chosen] if diversity else nearest[:k]
        exact = self._store.is_exact(allowed)
        return Found(
            cases=tuple(cases),
            nearest=tuple(nearest),
            own=tuple(with_repeats(group_by_case(own, matches.values(), records), hidden, matches)),
            ties=tuple(
                (images[one].case_id, images[other].case_id) for one, other in near.folded.items()
            ),
            rankings=near.rankings,
            exact=exact,
            bounds=_bounds(near, pool if diversity and pool < k * _POOL else None),
        )

    def holders(self, picture: RgbImage, row: Embeddings) -> tuple[str, ...]:
        """The cases that hold this very picture, or a copy of it.

        Args:
            row: its embedding, float32 [1 dim].
        """
        seen = glance(picture)
        hits = [
            hit for hit in self._store.search(row, _COPIES)[0] if hit.similarity >= WORTH_A_LOOK
        ]
        records = self._records(hit.image_id for hit in hits)
        copies = (image for image in records.values() if self._likeness.shows(image, seen))
        return tuple(dict.fromkeys(image.case_id for image in copies))

    def _nearest(
        self,
        fused: FusedQuery,
        count: int,
        watch: Stopwatch,
        ask: _Ask,
        *,
        fold: bool,
    ) -> _Near:
        """Images near the query until ``count`` cases are among them, or there are no more."""
        wanted = _IMAGES_A_CASE * count
        images: dict[ImageId, ImageRecord] = {}
        while True:
            with watch.stage("search"):
                hits, exhausted, rankings = self._rank(fused, wanted, ask)
            with watch.stage("catalog"):
                images |= self._records(h.image_id for h in hits if h.image_id not in images)
            with watch.stage("search"):
                folded = self._fold(hits, images, count)
            hidden = folded if fold else {}
            cases = first_cases((h for h in hits if h.image_id not in hidden), images, count)
            if exhausted or len(cases) == count:
                return _Near(cases, hits, images, folded, hidden.keys(), rankings)
            wanted *= _GROWTH

    def _fold(
        self, hits: Sequence[Hit], images: Mapping[ImageId, ImageRecord], cases: int
    ) -> dict[ImageId, ImageId]:
        """Images that repeat one of another case that is listed before: id → that one's."""
        near = [hit.image_id for hit in hits[:_COMPARED]]
        records = [images[image_id] for image_id in near]
        folded = repeats(
            self.vectors(near),
            [record.case_id for record in records],
            lambda first, second: self._likeness.same(
                records[first], records[second], fields=second < _FIELDS_COMPARED
            ),
            cases=cases,
        )
        return {near[place]: near[before] for place, before in folded.items()}

    def _choose(self, near: _Near, k: int, diversity: float, *, ranked: bool) -> tuple[str, ...]:
        """The ``k`` cases to list: the first ones, or different ones by their nearest images."""
        if not diversity:
            return near.cases[:k]
        best = first_hits((h for h in near.hits if h.image_id not in near.hidden), near.images)
        firsts = [best[case_id] for case_id in near.cases]
        # by rank fusion the first are not the most similar, but they are the most relevant
        relevance = (
            [-float(place) for place in range(len(firsts))]
            if ranked
            else [hit.similarity for hit in firsts]
        )
        rows = self.vectors([hit.image_id for hit in firsts])
        places = diversify(relevance, rows, k, diversity=diversity)
        return tuple(near.cases[place] for place in places)

    def _rank(
        self, fused: FusedQuery, wanted: int, ask: _Ask
    ) -> tuple[list[Hit], bool, tuple[Ranks, ...]]:
        """Hits, best first, whether there are no others, and the rankings that were fused."""
        if fused.method == "mean" or len(fused.rows) == 1:
            hits = ask(fused.direction, wanted)[0]
            return hits, len(hits) < wanted, ()
        rankings = ask(fused.rows, wanted)
        exhausted = all(len(ranking) < wanted for ranking in rankings)
        if fused.method == "max":
            # beyond so many, an id may be listed by a row that is not its nearest
            return maximum_fusion(rankings)[:wanted], exhausted, ()
        ids = reciprocal_rank_fusion(rankings, fused.weights)
        return self._measure(ids, fused), exhausted, tuple(map(ranks_of, rankings))

    def ranks(self, rows: Embeddings, allowed: RowMask | None) -> list[Ranks]:
        """Where each row [n dim] alone finds its first :data:`DEPTH` images."""
        return [ranks_of(hits) for hits in self._store.search(rows, DEPTH, allowed=allowed)]

    def _further_images(
        self, order: Sequence[str], near: Collection[ImageId], allowed: RowMask | None
    ) -> dict[ImageId, ImageRecord]:
        """These cases' images that the filter allows and that are not near the query."""
        images = self._catalog.images_of(order)
        further = [
            image
            for case_id in order
            for image in images.get(case_id, ())
            if image.image_id not in near
        ]
        if allowed is not None:
            rows = self._store.rows(np.array([image.image_id for image in further], np.int64))
            fitting = (rows >= 0) & allowed[rows]
            further = [image for image, fits in zip(further, fitting, strict=True) if fits]
        return {image.image_id: image for image in further}

    def _measure(self, ids: Sequence[ImageId], fused: FusedQuery) -> list[Hit]:
        """Hits of given images, in their order."""
        if not ids:
            return []
        rows = self.vectors(ids)
        near = similarities(fused, rows)
        return [Hit(i, float(s)) for i, s in zip(ids, near, strict=True)]

    def vectors(self, ids: Sequence[ImageId]) -> Embeddings:
        """The pictures' embeddings, float32 [n dim].

        Raises:
            ArchiveCorruptError: store and catalog name different images.
        """
        try:
            return self._store.vectors(np.array(ids, np.int64))
        except NotFoundError as error:
            raise _disagreement(str(error)) from error

    def _records(self, ids: Iterable[ImageId]) -> dict[ImageId, ImageRecord]:
        wanted = list(ids)
        records = self._catalog.images(wanted)
        lost = [i for i in wanted if i not in records]
        if lost:
            raise _disagreement(f"{len(lost)} ids without a record, {lost[0]} the first")
        return records


def _bounds(near: _Near, chosen_from: int | None) -> tuple[str, ...]:
    """Where work was cut short, in words for the reader."""
    cut = []
    if chosen_from is not None and len(near.cases) >= chosen_from:
        cut.append(f"different cases were chosen among the {chosen_from} nearest")
    beyond = [near.images[hit.image_id] for hit in near.hits[_FIELDS_COMPARED:_COMPARED]]
    if len(near.cases) > _FIELDS_COMPARED and any(map(is_field, beyond)):
        cut.append(
            "fields that overlap were looked for among the "
            f"{_FIELDS_COMPARED} nearest pictures, beyond them copies only"
        )
    return tuple(cut)


def _disagreement(value: str) -> ArchiveCorruptError:
    return ArchiveCorruptError(
        "the archive's store and catalog name different images",
        value=value,
        expected="a record for every embedding",
        remedy="run coin-index verify, then build the archive again",
    )
