"""Where an archive's pictures lie, and how close they are to other cases; measured at a build."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np

from coin_retrieval.archive.measured.calibration import PLACES, CloseMatch, close_match_from
from coin_retrieval.archive.measured.similarity_scale import SimilarityScale
from coin_retrieval.catalog.base import Catalog, Where
from coin_retrieval.catalog.writing import chunks
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.types import Embeddings, Hit, ImageId, ImageIds, RowMask

SAMPLE, FEWEST = 2000, 500
"""Pictures that are asked for their neighbours: the 5 % quantile is then sure to half a percent, or
to one where an archive is so large that only the fewest ask."""

_COMPARED = 2 * 10**9
"""Pairs of pictures that are compared at most, while more than the fewest can ask."""

_MEAN_OF = 100_000
"""Pictures whose mean is taken: no other hundred thousand would have another one."""

_AT_ONCE = 1000
"""Pictures whose rows are in memory."""

_FIRST_DEPTH = 8
_TEXT_DEPTH = 64
_GROWTH = 8


def real_mean(store: VectorStore, catalog: Catalog, asked: Where) -> tuple[float, ...]:
    """The mean embedding, [dim], of images that fit; of a sample, where they are many."""
    sample = catalog.sample(_MEAN_OF, asked)
    total = np.zeros(store.dim)
    for start in range(0, len(sample), _AT_ONCE):
        rows = store.vectors(sample[start : start + _AT_ONCE])
        total += rows.sum(axis=0, dtype=np.float64)
    # float32 has no more digits
    return tuple(round(value, 8) for value in (total / max(1, len(sample))).tolist())


class _Picture(NamedTuple):
    case_id: str
    content_hash: str


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The threshold of a close match, and what a similarity means; ``None`` where none is."""

    close_match: CloseMatch | None
    scale: SimilarityScale | None


def measure_neighbours(
    store: VectorStore, catalog: Catalog, asked: Where, texts: Embeddings | None = None
) -> Neighbours:
    """How near the archive's own pictures are to the first cases that are not theirs.

    A picture from such a case is what a query with a match looks like, so that the lowest 5 % give
    the threshold below which a picture has no close match. A copy of the picture under another case
    is not counted.

    Args:
        asked: which pictures ask and are found: the real ones (all, where none is real).
        texts: the archive's own words, float32 [n dim], where its encoder reads them.
    """
    count = min(SAMPLE, max(FEWEST, _COMPARED // max(1, len(store))))
    sample = catalog.sample(count, asked)
    allowed = catalog.mask(asked) if asked else None
    near: list[list[float]] = []
    for start in range(0, len(sample), _AT_ONCE):
        near += _near(store, catalog, sample[start : start + _AT_ONCE], allowed)
    worded: list[list[float]] = []
    if texts is not None:
        found = store.search(texts, _TEXT_DEPTH, allowed=allowed)
        known = _pictures(catalog, {hit.image_id for hits in found for hit in hits})
        worded = [_nearest_cases(None, hits, known) for hits in found]
    return Neighbours(
        close_match_from(float(np.mean(own)) for own in near) if near else None,
        SimilarityScale.of([*chain(*near)], [*chain(*worded)]),
    )


def _near(
    store: VectorStore, catalog: Catalog, ids: ImageIds, allowed: RowMask | None
) -> list[list[float]]:
    """For each picture that has another case beside it, how similar the first ones are."""
    depth = _FIRST_DEPTH
    rows = store.vectors(ids)
    nearest: list[list[float]] = []
    waiting = np.arange(len(ids))
    known = _pictures(catalog, (ImageId(i) for i in ids.tolist()))
    while len(waiting):
        found = store.search(rows[waiting], depth, allowed=allowed)
        new = {hit.image_id for hits in found for hit in hits} - known.keys()
        known |= _pictures(catalog, new)
        short = []
        for place, hits in zip(waiting.tolist(), found, strict=True):
            near = _nearest_cases(known[ImageId(int(ids[place]))], hits, known)
            if len(near) < PLACES and len(hits) == depth:
                short.append(place)  # own pictures fill the list: look farther
            elif near:
                nearest.append(near)
        waiting = np.array(short, np.int64)
        depth *= _GROWTH
    return nearest


def _pictures(catalog: Catalog, ids: Iterable[ImageId]) -> dict[ImageId, _Picture]:
    """No more than is compared: of records there may be megabytes."""
    found: dict[ImageId, _Picture] = {}
    for some in chunks(ids):
        for image_id, image in catalog.images(some).items():
            found[image_id] = _Picture(image.case_id, image.content_hash)
    return found


def _nearest_cases(
    asked: _Picture | None, hits: Iterable[Hit], known: Mapping[ImageId, _Picture]
) -> list[float]:
    """Similarities of the first cases, best first; without those of a picture that asks."""
    best: dict[str, float] = {}
    for hit in hits:
        image = known[hit.image_id]
        own = asked is not None and (
            image.case_id == asked.case_id or image.content_hash == asked.content_hash
        )
        if not own:
            best.setdefault(image.case_id, hit.similarity)
            if len(best) == PLACES:
                break
    return list(best.values())
