"""Writes the catalog's tables: records as they come, and at last what they are found by."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
from sqlalchemy import Engine, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DatabaseError

from coin_retrieval.catalog.base import CASE_FIELDS, IMAGE_FIELDS, CatalogWriter, refuse_orphans
from coin_retrieval.catalog.database import open_database
from coin_retrieval.catalog.lookups import LOOKED_UP, LOOKUPS, write_lookups
from coin_retrieval.catalog.postings import pack_numbers, pack_rows
from coin_retrieval.catalog.records import (
    case_values,
    content_key,
    image_record,
    image_values,
    uri_key,
)
from coin_retrieval.catalog.tables import (
    ArrayEntry,
    CaseEntry,
    FieldEntry,
    ImageEntry,
    MetaEntry,
    SourceEntry,
    TermEntry,
)
from coin_retrieval.config import SqliteCatalogSettings
from coin_retrieval.errors import InputError
from coin_retrieval.row_ids import GrowingRowIds
from coin_retrieval.types import CaseRecord, ImageId, ImageRecord, Location

T = TypeVar("T")

FILE = "catalog.sqlite"
ROW_COUNT = "row_count"
_OF_CASE = (*(name for name in CASE_FIELDS if name != "case_id"), "patient_id")
_OF_IMAGE = (*IMAGE_FIELDS, "slide_id")
_CHUNK = 500
"""Values in one statement: SQLite before 3.32 takes 999 variables at most."""


def chunks(items: Iterable[T], size: int = _CHUNK) -> Iterator[list[T]]:
    """Lists of at most ``size`` items, so that a statement never has too many variables."""
    iterator = iter(items)
    while some := list(islice(iterator, size)):
        yield some


class SqlCatalogWriter(CatalogWriter):
    """Into an empty database; what rows are found by is gathered in memory and written at last."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._sources: dict[str, int] = {}
        self._terms: dict[tuple[str, str], array[int]] = {}
        self._numbers = {name: GrowingRowIds() for name in LOOKED_UP}
        self._folder: Path | None = None

    @classmethod
    def create(cls, settings: SqliteCatalogSettings, folder: Path) -> Self:
        """An SQLite file in ``folder``.

        Raises:
            ArchiveCorruptError: there is something else already.
        """
        writer = cls(open_database(folder / FILE))
        writer._folder = folder
        return writer

    def put(self, cases: Iterable[CaseRecord], images: Iterable[ImageRecord]) -> None:
        """Append images, and add or replace cases: all or none."""
        by_id = {case.case_id: case for case in cases}
        new = list(images)
        ids = np.array([image.image_id for image in new], np.int64)
        if len(np.unique(ids)) < len(new) or len(self._numbers["ids"].all_rows(ids)):
            raise InputError("an image came twice", expected="each image once")
        with self._writing(), self._engine.begin() as connection:
            present: set[str] = set()
            for some in chunks({image.case_id for image in new} - by_id.keys()):
                query = select(CaseEntry.case_id).where(CaseEntry.case_id.in_(some))
                present.update(connection.scalars(query))
            refuse_orphans(new, present | by_id.keys())
            self._put_cases(connection, by_id)
            for path in {image.file.source for image in new} - self._sources.keys():
                self._sources[path] = len(self._sources)
                source = {"source_id": self._sources[path], "path": path}
                connection.execute(insert(SourceEntry), [source])
            first = len(self._numbers["ids"])
            rows = (
                image_values(image, row=row, source_id=self._sources[image.file.source])
                for row, image in enumerate(new, start=first)
            )
            for some_rows in chunks(rows):
                connection.execute(insert(ImageEntry), some_rows)
        keys = {
            "ids": ids,
            "contents": np.array([content_key(image.content_hash) for image in new], np.int64),
            "uris": np.array([uri_key(image.uri) for image in new], np.int64),
        }
        for name in LOOKED_UP:
            self._numbers[name].add(keys[name])
        for row, image in enumerate(new, start=first):
            self._note(row, image)

    def _put_cases(self, connection: Connection, cases: Mapping[str, CaseRecord]) -> None:
        for some in chunks(cases):
            query = select(CaseEntry.case_id).where(CaseEntry.case_id.in_(some))
            present = set(connection.scalars(query))
            for name in present:
                change = update(CaseEntry).where(CaseEntry.case_id == name)
                connection.execute(change.values(case_values(cases[name])))
            if new := [case_values(cases[name]) for name in some if name not in present]:
                connection.execute(insert(CaseEntry), new)

    def images(self, ids: Iterable[ImageId]) -> dict[ImageId, ImageRecord]:
        """Records of the ids that were put."""
        return {image.image_id: image for image in self._having_one("ids", ids)}

    def of_contents(self, hashes: Iterable[str]) -> list[ImageRecord]:
        """All images of these contents that were put, by row."""
        wanted = set(hashes)
        found = self._having_one("contents", map(content_key, wanted))
        return [image for image in found if image.content_hash in wanted]

    def _having_one(self, name: str, numbers: Iterable[int]) -> Iterator[ImageRecord]:
        """Images that have one of these numbers, by row."""
        rows = np.sort(self._numbers[name].all_rows(np.fromiter(numbers, np.int64)))
        if not len(rows):
            return
        paths = {number: path for path, number in self._sources.items()}
        query = select(ImageEntry.__table__).order_by(ImageEntry.row)
        with self._engine.connect() as connection:
            for some in chunks(rows.tolist()):
                for row in connection.execute(query.where(ImageEntry.row.in_(some))):
                    yield image_record(row, source=paths[row.source_id])

    def seal(self) -> Location:
        """The SQLite file with what is looked up beside it, or of a server the database."""
        self.finish()
        self.close()
        if self._folder is None:
            return Location(collection=self._engine.url.database or "")
        write_lookups(self._folder / LOOKUPS, {name: of.ids for name, of in self._numbers.items()})
        return Location(files=(FILE, LOOKUPS))

    def finish(self) -> None:
        """Write what rows are found by."""
        with self._writing(), self._engine.begin() as connection:
            columns = [getattr(CaseEntry, name) for name in _OF_CASE]
            of_cases = select(ImageEntry.row, *columns).join(CaseEntry).order_by(ImageEntry.row)
            for row, *values in connection.execute(of_cases):
                for name, value in zip(_OF_CASE, values, strict=True):
                    self._have(row, name, value)
            count = len(self._numbers["ids"])
            fields: dict[str, int] = {}
            for field, value in self._terms:
                fields[field] = fields.get(field, 0) + len(self._terms[field, value])
            for some in chunks(sorted(self._terms)):
                rows = [
                    {
                        "field": field,
                        "value": value,
                        "folded": value.casefold(),
                        "images": len(self._terms[field, value]),
                        "rows": pack_rows(self._terms[field, value], row_count=count),
                    }
                    for field, value in some
                ]
                connection.execute(insert(TermEntry), rows)
            if fields:
                entries = [{"field": name, "images": n} for name, n in fields.items()]
                connection.execute(insert(FieldEntry), entries)
            if self._folder is None:
                arrays = [
                    {"name": name, "data": pack_numbers(numbers.ids)}
                    for name, numbers in self._numbers.items()
                ]
                connection.execute(insert(ArrayEntry), arrays)
            connection.execute(insert(MetaEntry), [{"key": ROW_COUNT, "value": str(count)}])

    def close(self) -> None:
        """Release files and connections."""
        self._engine.dispose()

    def _note(self, row: int, image: ImageRecord) -> None:
        for name in _OF_IMAGE:
            self._have(row, name, str(getattr(image, name)))
        for name, value in image.attributes.items():
            # an attribute that is named like a field never hides the field
            if name not in ("case_id", *_OF_CASE, *_OF_IMAGE):
                self._have(row, name, value)

    def _have(self, row: int, field: str, value: str) -> None:
        """Note that a row has a value; empty values are none."""
        if value:
            self._terms.setdefault((field, value), array("I")).append(row)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """A disk that is full or fails is that error, whoever noticed it.

        Raises:
            OSError: the database cannot be written.
        """
        try:
            yield
        except DatabaseError as error:
            raise OSError(None, str(error.orig), self._engine.url.database) from error
