"""The catalog in a SQL database: SQLite by default, PostgreSQL when it is shared."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Self

import numpy as np
from sqlalchemy import Engine, func, select
from sqlalchemy.engine import Connection

from coin_retrieval.catalog.base import CASE_FIELDS, IMAGE_FIELDS, Catalog, Where
from coin_retrieval.catalog.database import columns_in, open_database, open_read_only
from coin_retrieval.catalog.records import case_record, image_record
from coin_retrieval.catalog.tables import CaseEntry, ImageEntry, ImageTermEntry, TermEntry
from coin_retrieval.catalog.writing import (
    chunks,
    delete_images,
    delete_unused,
    index_terms,
    put_cases,
    put_images,
)
from coin_retrieval.config import SqliteCatalogSettings
from coin_retrieval.errors import FilterError, NotFoundError
from coin_retrieval.types import CaseRecord, ImageId, ImageIds, ImageRecord, Location

_FILE = "catalog.sqlite"


class SqlCatalog(Catalog):
    """Records in the tables of :mod:`coin_retrieval.catalog.tables`; reads are thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._cases = select(*columns_in(engine, CaseEntry.metadata.tables["cases"]))
        self._images = select(*columns_in(engine, ImageEntry.metadata.tables["images"]))

    @classmethod
    def create(cls, settings: SqliteCatalogSettings, folder: Path) -> Self:
        """An SQLite file in ``folder``; makes the tables if need be.

        Raises:
            ArchiveSchemaError: written by a newer program.
            ArchiveCorruptError: not a database, or not a catalog.
        """
        return cls(open_database(folder / _FILE))

    @classmethod
    def open(cls, settings: SqliteCatalogSettings, folder: Path, location: Location) -> Self:
        """Open a published SQLite file for reading only; it is never locked nor changed.

        Raises:
            ArchiveSchemaError: written by a newer program.
            ArchiveCorruptError: missing, not a database, or not a catalog.
        """
        return cls(open_read_only(folder.joinpath(*location.files)))

    def put(self, cases: Iterable[CaseRecord], images: Iterable[ImageRecord]) -> None:
        """Insert or replace records, all or none.

        Raises:
            InputError: an image of a case that is neither given nor there.
        """
        case_by_id = {case.case_id: case for case in cases}
        image_by_id = {int(image.image_id): image for image in images}
        with self._engine.begin() as connection:
            put_cases(connection, case_by_id)
            changed = put_images(connection, image_by_id)
            index_terms(connection, changed | case_by_id.keys())

    def remove(self, ids: Iterable[ImageId]) -> int:
        """Remove images, and cases left without any; returns how many images were there."""
        with self._engine.begin() as connection:
            removed = delete_images(connection, [int(i) for i in ids])
            delete_unused(connection)
        return removed

    def images(self, ids: Iterable[ImageId]) -> dict[ImageId, ImageRecord]:
        """Records of the ids that exist."""
        found: dict[ImageId, ImageRecord] = {}
        with self._engine.connect() as connection:
            for some in chunks(int(i) for i in ids):
                for row in connection.execute(self._images.where(ImageEntry.image_id.in_(some))):
                    found[ImageId(row.image_id)] = image_record(row)
        return found

    def cases(self, case_ids: Iterable[str]) -> dict[str, CaseRecord]:
        """Records of the cases that exist."""
        found: dict[str, CaseRecord] = {}
        with self._engine.connect() as connection:
            for some in chunks(case_ids):
                for row in connection.execute(self._cases.where(CaseEntry.case_id.in_(some))):
                    found[row.case_id] = case_record(row)
        return found

    def case_images(self, case_id: str) -> list[ImageRecord]:
        """All images of a case, by id.

        Raises:
            NotFoundError: no such case.
        """
        records = self.images_of([case_id]).get(case_id, [])
        if not records and not self.cases([case_id]):
            raise NotFoundError("no such case", value=case_id, expected="a case of this archive")
        return records

    def images_of(self, case_ids: Iterable[str]) -> dict[str, list[ImageRecord]]:
        """All images of each case that exists, by id."""
        found: dict[str, list[ImageRecord]] = {}
        query = self._images.order_by(ImageEntry.image_id)
        with self._engine.connect() as connection:
            for some in chunks(case_ids):
                for row in connection.execute(query.where(ImageEntry.case_id.in_(some))):
                    found.setdefault(row.case_id, []).append(image_record(row))
        return found

    def select(self, where: Where) -> ImageIds:
        """Ids of the images that fit, int64 [n], ascending.

        Raises:
            FilterError: a field that is neither a case or image field nor an attribute.
        """
        self._check_fields(where)
        with self._engine.connect() as connection:
            if not where:
                query = select(ImageEntry.image_id).order_by(ImageEntry.image_id)
                return np.fromiter(connection.scalars(query), np.int64)
            fitting = [_having(connection, name, values) for name, values in where.items()]
        ids = fitting[0]
        for others in fitting[1:]:
            ids = np.intersect1d(ids, others, assume_unique=True)
        return ids

    def fields(self) -> tuple[str, ...]:
        """What can be filtered on: case fields, image fields and the attributes in use."""
        known = (*CASE_FIELDS, *IMAGE_FIELDS)
        with self._engine.connect() as connection:
            used = connection.scalars(select(TermEntry.field).distinct().order_by(TermEntry.field))
            return (*known, *(name for name in used if name not in known))

    def values(self, field: str, where: Where | None = None) -> dict[str, int]:
        """Distinct values of a field and how many images have each, most frequent first.

        Raises:
            FilterError: no such field.
        """
        self._check_fields([field, *(where or ())])
        count = func.count().label("images")
        query = (
            select(TermEntry.value, count)
            .join(ImageTermEntry, ImageTermEntry.term_id == TermEntry.term_id)
            .where(TermEntry.field == field)
            .group_by(TermEntry.value)
            .order_by(count.desc(), TermEntry.value)
        )
        for name, wanted in (where or {}).items():
            fitting = (
                select(ImageTermEntry.image_id)
                .join(TermEntry, TermEntry.term_id == ImageTermEntry.term_id)
                .where(TermEntry.field == name)
                .where(TermEntry.folded.in_([value.casefold() for value in wanted]))
            )
            query = query.where(ImageTermEntry.image_id.in_(fitting))
        with self._engine.connect() as connection:
            return {value: int(images) for value, images in connection.execute(query)}

    def counts(self) -> tuple[int, int]:
        """How many cases and how many images."""
        with self._engine.connect() as connection:
            cases = connection.scalar(select(func.count()).select_from(CaseEntry))
            images = connection.scalar(select(func.count()).select_from(ImageEntry))
        return int(cases or 0), int(images or 0)

    def seal(self) -> Location:
        """The SQLite file, which every transaction has reached; of a server the database."""
        database = self._engine.url.database or ""
        if self._engine.dialect.name == "sqlite":
            return Location(files=(Path(database).name,))
        return Location(collection=database)

    def close(self) -> None:
        """Release files and connections."""
        self._engine.dispose()

    def _check_fields(self, wanted: Iterable[str]) -> None:
        known = self.fields()
        for field in wanted:
            if field not in known:
                raise FilterError(
                    "no such field", value=field, expected=f"one of {', '.join(known)}"
                )


def _having(connection: Connection, field: str, values: Sequence[str]) -> ImageIds:
    """Images that have one of the values in this field, ascending."""
    of_field = select(TermEntry.term_id).where(TermEntry.field == field)
    terms = [
        term
        for some in chunks({value.casefold() for value in values})
        for term in connection.scalars(of_field.where(TermEntry.folded.in_(some)))
    ]
    query = select(ImageTermEntry.image_id)
    found = [
        image_id
        for some_terms in chunks(terms)
        for image_id in connection.scalars(query.where(ImageTermEntry.term_id.in_(some_terms)))
    ]
    return np.unique(np.array(found, np.int64))
