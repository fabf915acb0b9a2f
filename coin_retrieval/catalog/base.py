"""The catalog's roles: who is this image and which images fit a filter, and writing the answer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from coin_retrieval.errors import FilterError, InputError, NotFoundError
from coin_retrieval.files import Closing
from coin_retrieval.types import CaseRecord, ImageId, ImageIds, ImageRecord, Location, RowMask

Where = Mapping[str, Sequence[str]]
"""Field → allowed values; fields are joined by AND, values of a field by OR, compared exactly but
for letter case."""

CASE_FIELDS = ("case_id", "site", "specimen", "stain")
IMAGE_FIELDS = ("diagnosis", "finding", "origin")


class Catalog(Closing):
    """Cases and images under stable ids, for reading.

    Images have rows, numbered as they were written; those that were taken out since keep their
    numbers and are otherwise not there, nor are cases of which no image is left.
    """

    @property
    @abstractmethod
    def row_count(self) -> int:
        """How many images were written, those taken out since among them."""

    @abstractmethod
    def ids(self) -> ImageIds:
        """The id of every row, int64 [:attr:`row_count`], taken out or not."""

    @abstractmethod
    def alive(self) -> RowMask:
        """Which rows are there."""

    @abstractmethod
    def images(self, ids: Iterable[ImageId]) -> dict[ImageId, ImageRecord]:
        """Records of the ids that exist."""

    @abstractmethod
    def cases(self, case_ids: Iterable[str]) -> dict[str, CaseRecord]:
        """Records of the cases that exist."""

    @abstractmethod
    def images_of(self, case_ids: Iterable[str]) -> dict[str, list[ImageRecord]]:
        """All images of each case that exists, by id: many cases in one question."""

    @abstractmethod
    def of_contents(self, hashes: Iterable[str]) -> list[ImageRecord]:
        """All images of these contents (SHA-256, hex), by row."""

    @abstractmethod
    def of_uris(self, uris: Iterable[str]) -> list[ImageRecord]:
        """All images that were read from there, by row."""

    @abstractmethod
    def mask(self, where: Where) -> RowMask:
        """Which rows fit a filter.

        Raises:
            FilterError: a field that is neither a case or image field nor an attribute.
        """

    @abstractmethod
    def fields(self) -> tuple[str, ...]:
        """What can be filtered on: case fields, image fields and the attributes in use."""

    @abstractmethod
    def values(self, field: str, where: Where | None = None) -> dict[str, int]:
        """Distinct values of a field and how many images have each, most frequent first.

        Args:
            where: only images that fit are counted.

        Raises:
            FilterError: no such field.
        """

    @abstractmethod
    def counts(self) -> tuple[int, int]:
        """How many cases and how many images."""

    @abstractmethod
    def case_ids(self) -> Iterator[str]:
        """All cases that exist, in the order of their ids."""

    def select(self, where: Where) -> ImageIds:
        """Ids of the images that fit, int64 [n], ascending.

        Raises:
            FilterError: a field that is neither a case or image field nor an attribute.
        """
        return np.sort(self.ids()[self.mask(where)])

    def sample(self, count: int, where: Where) -> ImageIds:
        """``count`` ids of images that fit (all, where they are fewer), int64, ascending.

        The same images give the same sample, in whatever order they were written.

        Raises:
            FilterError: a field that is neither a case or image field nor an attribute.
        """
        return drawn(self.ids()[self.mask(where)], count)

    def case_images(self, case_id: str) -> list[ImageRecord]:
        """All images of a case, by id.

        Raises:
            NotFoundError: no such case.
        """
        images = self.images_of([case_id])
        if case_id not in images:
            raise NotFoundError("no such case", value=case_id, expected="a case of this archive")
        return images[case_id]

    def _check_fields(self, wanted: Iterable[str]) -> None:
        known = self.fields()
        for field in wanted:
            if field not in known:
                raise FilterError(
                    "no such field", value=field, expected=f"one of {', '.join(known)}"
                )


class CatalogWriter(ABC):
    """Records on their way into a file or a server, where a :class:`Catalog` reads them."""

    @abstractmethod
    def put(self, cases: Iterable[CaseRecord], images: Iterable[ImageRecord]) -> None:
        """Append images, and add or replace cases: all or none.

        Raises:
            InputError: an image of a case that is neither given nor there, or given twice.
        """

    @abstractmethod
    def images(self, ids: Iterable[ImageId]) -> dict[ImageId, ImageRecord]:
        """Records of the ids that were put."""

    @abstractmethod
    def of_contents(self, hashes: Iterable[str]) -> list[ImageRecord]:
        """All images of these contents (SHA-256, hex) that were put, by row."""

    @abstractmethod
    def seal(self) -> Location:
        """Keep everything for ever; says where. Nothing can be put any more."""

    @abstractmethod
    def close(self) -> None:
        """Let go of what is being written; without :meth:`seal` it is nothing."""


def drawn(ids: ImageIds, count: int) -> ImageIds:
    """``count`` of these distinct ids, int64, ascending: those that a hash puts first."""
    # the finaliser of splitmix64, which scatters numbers that follow a rule too
    key = ids.astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        key = (key ^ (key >> np.uint64(shift))) * np.uint64(factor)
    key ^= key >> np.uint64(31)
    first = np.argpartition(key, count)[:count] if count < len(ids) else slice(None)
    return np.sort(ids[first])


def refuse_orphans(images: Iterable[ImageRecord], present: Iterable[str]) -> None:
    """Refuse images whose case is not among those present.

    Raises:
        InputError: there are such.
    """
    if orphans := sorted({image.case_id for image in images} - set(present)):
        raise InputError(
            "images of cases that the catalog does not have",
            value=orphans[:5],
            expected="each image's case given with it, or before it",
        )
