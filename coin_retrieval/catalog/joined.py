"""Several catalogs as one: the segments of an archive."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeVar

import numpy as np

from coin_retrieval.catalog.base import CASE_FIELDS, IMAGE_FIELDS, Catalog, Where, drawn
from coin_retrieval.types import CaseRecord, ImageId, ImageIds, ImageRecord, RowMask

K = TypeVar("K")
V = TypeVar("V")


class JoinedCatalog(Catalog):
    """Catalogs one after another: their rows are numbered on.

    No living image is in two of them. A case may be, with the same record.
    """

    def __init__(self, catalogs: Sequence[Catalog]) -> None:
        self._catalogs = tuple(catalogs)

    @property
    def row_count(self) -> int:
        """How many images were written."""
        return sum(catalog.row_count for catalog in self._catalogs)

    def ids(self) -> ImageIds:
        """The id of every row, int64 [n]."""
        return np.concatenate([np.empty(0, np.int64), *(c.ids() for c in self._catalogs)])

    def alive(self) -> RowMask:
        """Which rows are there."""
        return np.concatenate([np.empty(0, np.bool_), *(c.alive() for c in self._catalogs)])

    def sample(self, count: int, where: Where) -> ImageIds:
        """``count`` ids of images that fit, int64, ascending; no more are held of any part.

        Raises:
            FilterError: a field that is neither a case or image field nor an attribute.
        """
        self._check_fields(where)
        parts = [c.sample(count, where) for c in self._catalogs if set(where) <= set(c.fields())]
        return drawn(np.concatenate([np.empty(0, np.int64), *parts]), count)

    def images(self, ids: Iterable[ImageId]) -> dict[ImageId, ImageRecord]:
        """Records of the ids that exist."""
        return self._first(ids, lambda catalog, some: catalog.images(some))

    def cases(self, case_ids: Iterable[str]) -> dict[str, CaseRecord]:
        """Records of the cases that exist."""
        return self._first(case_ids, lambda catalog, some: catalog.cases(some))

    def images_of(self, case_ids: Iterable[str]) -> dict[str, list[ImageRecord]]:
        """All images of each case that exists, by id."""
        wanted = list(case_ids)
        found: dict[str, list[ImageRecord]] = {}
        for catalog in self._catalogs:
            for case_id, images in catalog.images_of(wanted).items():
                found.setdefault(case_id, []).extend(images)
        return {c: sorted(images, key=lambda image: image.image_id) for c, images in found.items()}

    def of_contents(self, hashes: Iterable[str]) -> list[ImageRecord]:
        """All images of these contents, by row."""
        wanted = list(hashes)
        return [image for catalog in self._catalogs for image in catalog.of_contents(wanted)]

    def of_uris(self, uris: Iterable[str]) -> list[ImageRecord]:
        """All images that were read from there, by row."""
        wanted = list(uris)
        return [image for catalog in self._catalogs for image in catalog.of_uris(wanted)]

    def mask(self, where: Where) -> RowMask:
        """Which rows fit a filter.

        Raises:
            FilterError: a field that is neither a case or image field nor an attribute.
        """
        self._check_fields(where)
        return np.concatenate(
            [np.empty(0, np.bool_), *(_mask(catalog, where) for catalog in self._catalogs)]
        )

    def fields(self) -> tuple[str, ...]:
        """What can be filtered on: case fields, image fields and the attributes in use."""
        known = (*CASE_FIELDS, *IMAGE_FIELDS)
        used = {name for catalog in self._catalogs for name in catalog.fields()}
        return (*known, *sorted(used - set(known)))

    def values(self, field: str, where: Where | None = None) -> dict[str, int]:
        """Distinct values of a field and how many images have each, most frequent first.

        Raises:
            FilterError: no such field.
        """
        wanted = {field, *(where or ())}
        self._check_fields(wanted)
        total: Counter[str] = Counter()
        for catalog in self._catalogs:
            if wanted <= set(catalog.fields()):
                total.update(catalog.values(field, where))
        return dict(sorted(total.items(), key=lambda pair: (-pair[1], pair[0])))

    def counts(self) -> tuple[int, int]:
        """How many cases and how many images."""
        images = sum(catalog.counts()[1] for catalog in self._catalogs)
        return sum(1 for _ in self.case_ids()), images

    def case_ids(self) -> Iterator[str]:
        """All cases that exist, in the order of their ids."""
        merged = heapq.merge(*(catalog.case_ids() for catalog in self._catalogs))
        return (case_id for case_id, _ in groupby(merged))

    def close(self) -> None:
        """Close all."""
        for catalog in self._catalogs:
            catalog.close()

    def _first(
        self, keys: Iterable[K], look_up: Callable[[Catalog, list[K]], dict[K, V]]
    ) -> dict[K, V]:
        """What the catalogs have under these keys, each asked for what is not found yet."""
        left = list(keys)
        found: dict[K, V] = {}
        # what was added last is asked for most
        for catalog in reversed(self._catalogs):
            if not left:
                break
            found |= look_up(catalog, left)
            left = [key for key in left if key not in found]
        return found


def _mask(catalog: Catalog, where: Where) -> RowMask:
    """An attribute that none of its images has selects none of them."""
    if set(where) <= set(catalog.fields()):
        return catalog.mask(where)
    return np.zeros(catalog.row_count, np.bool_)
