"""The catalog's role: who is this image, and which images fit a filter?"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from coin_retrieval.types import CaseRecord, ImageId, ImageIds, ImageRecord, Location

Where = Mapping[str, Sequence[str]]
"""Field → allowed values; fields are joined by AND, values of a field by OR, compared exactly but
for letter case."""

CASE_FIELDS = ("case_id", "site", "specimen", "stain")
IMAGE_FIELDS = ("diagnosis", "finding", "origin")


class Catalog(ABC):
    """Cases and images under stable ids."""

    @classmethod
    @abstractmethod
    def create(cls, settings: Any, folder: Path) -> Self:
        """An empty catalog to write to, as its own settings say; its files lie in ``folder``."""

    @classmethod
    @abstractmethod
    def open(cls, settings: Any, folder: Path, location: Location) -> Self:
        """What :meth:`seal` left in ``folder`` or on a server, for reading only.

        Raises:
            ArchiveCorruptError: missing, or not such a catalog.
            ArchiveSchemaError: written by a newer program.
        """

    @abstractmethod
    def put(self, cases: Iterable[CaseRecord], images: Iterable[ImageRecord]) -> None:
        """Insert or replace records, all or none."""

    @abstractmethod
    def remove(self, ids: Iterable[ImageId]) -> int:
        """Remove images, and cases left without any; returns how many images were there."""

    @abstractmethod
    def images(self, ids: Iterable[ImageId]) -> dict[ImageId, ImageRecord]:
        """Records of the ids that exist."""

    @abstractmethod
    def cases(self, case_ids: Iterable[str]) -> dict[str, CaseRecord]:
        """Records of the cases that exist."""

    @abstractmethod
    def case_images(self, case_id: str) -> list[ImageRecord]:
        """All images of a case, by id.

        Raises:
            NotFoundError: no such case.
        """

    @abstractmethod
    def images_of(self, case_ids: Iterable[str]) -> dict[str, list[ImageRecord]]:
        """All images of each case that exists, by id: many cases in one question."""

    @abstractmethod
    def select(self, where: Where) -> ImageIds:
        """Ids of the images that fit, int64 [n].

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
    def seal(self) -> Location:
        """Keep everything as it is now; says where, in files of the folder that it was made in."""

    @abstractmethod
    def close(self) -> None:
        """Release files and connections."""
