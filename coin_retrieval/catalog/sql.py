"""The catalog in a SQL database: SQLite by default, PostgreSQL when it is shared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any, Self

import numpy as np
from sqlalchemy import Engine, Row, func, select
from sqlalchemy.engine import Connection

from coin_retrieval.catalog.base import CASE_FIELDS, IMAGE_FIELDS, Catalog, Where
from coin_retrieval.catalog.database import open_read_only, written_schema
from coin_retrieval.catalog.earlier import open_earlier
from coin_retrieval.catalog.lookups import open_lookups
from coin_retrieval.catalog.postings import count_rows, unpack_numbers, unpack_rows
from coin_retrieval.catalog.records import (
    case_record,
    content_key,
    image_record,
    image_terms,
    uri_key,
)
from coin_retrieval.catalog.tables import (
    SCHEMA_VERSION,
    ArrayEntry,
    CaseEntry,
    FieldEntry,
    ImageEntry,
    MetaEntry,
    SourceEntry,
    TermEntry,
)
from coin_retrieval.catalog.writing import ROW_COUNT, chunks
from coin_retrieval.config import SqliteCatalogSettings
from coin_retrieval.row_ids import RowIds
from coin_retrieval.types import CaseRecord, ImageId, ImageIds, ImageRecord, Location, RowMask


class SqlCatalog(Catalog):
    """Records in the tables of :mod:`coin_retrieval.catalog.tables`; reads are thread-safe.

    Args:
        alive: which rows are there; ``None`` for all.
        lookups: what images are looked up by, mapped from a file; ``None``: it lies in a table.
        held: whether a table's (12 bytes an image) stays in memory, or is read each time.
    """

    def __init__(
        self,
        engine: Engine,
        alive: RowMask | None = None,
        *,
        lookups: Mapping[str, RowIds] | None = None,
        held: bool = True,
    ) -> None:
        self._engine = engine
        self._alive = alive
        read = self._read_numbers if lookups is None else lookups.__getitem__
        self._numbers: Callable[[str], RowIds] = cache(read) if held else read

    @classmethod
    def open(
        cls,
        settings: SqliteCatalogSettings,
        folder: Path,
        location: Location,
        *,
        alive: RowMask | None = None,
        row_order: ImageIds | None = None,
        held: bool = True,
    ) -> Self:
        """The SQLite file that :class:`SqlCatalogWriter` sealed, with what is looked up beside it.

        Args:
            alive: which rows are there; ``None`` for all.
            row_order: the ids by row, for a catalog of schema 1 or 2, which did not know them.
            held: as for the class.

        Raises:
            ArchiveCorruptError: missing, or not such a catalog.
            ArchiveSchemaError: written by a newer program.
        """
        database, *beside = (folder / name for name in location.files)
        if written_schema(database) < SCHEMA_VERSION:
            return cls(open_earlier(database, row_order), alive, held=held)
        lookups = open_lookups(*beside) if beside else None
        return cls(open_read_only(database), alive, lookups=lookups, held=held)

    @cached_property
    def row_count(self) -> int:
        """How many images were written."""
        with self._engine.connect() as connection:
            query = select(MetaEntry.value).where(MetaEntry.key == ROW_COUNT)
            return int(connection.scalar(query) or 0)

    def ids(self) -> ImageIds:
        """The id of every row, int64 [n]."""
        return self._numbers("ids").ids

    def alive(self) -> RowMask:
        """Which rows are there."""
        return np.ones(self.row_count, np.bool_) if self._alive is None else self._alive

    def images(self, ids: Iterable[ImageId]) -> dict[ImageId, ImageRecord]:
        """Records of the ids that exist."""
        rows = self._numbers("ids").rows(np.fromiter(ids, np.int64))
        return {image.image_id: image for image in self._records(rows[rows >= 0])}

    def cases(self, case_ids: Iterable[str]) -> dict[str, CaseRecord]:
        """Records of the cases that exist."""
        found: dict[str, CaseRecord] = {}
        query = select(CaseEntry.__table__)
        with self._engine.connect() as connection:
            for some in chunks(case_ids):
                there = self._living(connection, some)
                for row in connection.execute(query.where(CaseEntry.case_id.in_(some))):
                    if there is None or row.case_id in there:
                        found[row.case_id] = case_record(row)
        return found

    def images_of(self, case_ids: Iterable[str]) -> dict[str, list[ImageRecord]]:
        """All images of each case that exists, by id."""
        found: dict[str, list[ImageRecord]] = {}
        query = select(ImageEntry.__table__).order_by(ImageEntry.image_id)
        with self._engine.connect() as connection:
            for some in chunks(case_ids):
                rows = connection.execute(query.where(ImageEntry.case_id.in_(some)))
                for image in self._living_records(rows):
                    found.setdefault(image.case_id, []).append(image)
        return found

    def of_contents(self, hashes: Iterable[str]) -> list[ImageRecord]:
        """All images of these contents, by row."""
        wanted = set(hashes)
        found = self._records(self._rows_of("contents", map(content_key, wanted)))
        return [image for image in found if image.content_hash in wanted]

    def of_uris(self, uris: Iterable[str]) -> list[ImageRecord]:
        """All images that were read from there, by row."""
        wanted = set(uris)
        found = self._records(self._rows_of("uris", map(uri_key, wanted)))
        return [image for image in found if image.uri in wanted]

    def mask(self, where: Where) -> RowMask:
        """Which rows fit a filter.

        Raises:
            FilterError: a field that is neither a case or image field nor an attribute.
        """
        self._check_fields(where)
        mask = self.alive().copy()
        with self._engine.connect() as connection:
            for field, values in where.items():
                mask &= self._having(connection, field, values)
        return mask

    def fields(self) -> tuple[str, ...]:
        """What can be filtered on: case fields, image fields and the attributes in use."""
        known = (*CASE_FIELDS, *IMAGE_FIELDS)
        used = (name for name in sorted(self._field_counts) if name not in known)
        return (*known, *used)

    def values(self, field: str, where: Where | None = None) -> dict[str, int]:
        """Distinct values of a field and how many images have each, most frequent first.

        Raises:
            FilterError: no such field.
        """
        self._check_fields([field, *(where or ())])
        counted = self._counted(field) if not where else self._counted_in(field, self.mask(where))
        ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
        return {value: images for value, images in ordered if images}

    def counts(self) -> tuple[int, int]:
        """How many cases and how many images."""
        with self._engine.connect() as connection:
            cases = connection.scalar(select(func.count()).select_from(CaseEntry)) or 0
            if self._alive is None:
                return cases, self.row_count
            touched = [value for field, value in self._lost_terms if field == "case_id"]
            for some in chunks(touched):
                cases -= len(some) - len(self._living(connection, some) or ())
        return cases, int(np.count_nonzero(self._alive))

    def case_ids(self) -> Iterator[str]:
        """All cases that exist, in the order of their ids."""
        with self._engine.connect() as connection:
            query = select(CaseEntry.case_id).order_by(CaseEntry.case_id)
            for some in chunks(connection.scalars(query)):
                there = self._living(connection, some)
                yield from (name for name in some if there is None or name in there)

    def close(self) -> None:
        """Release files and connections."""
        self._engine.dispose()

    @cached_property
    def _sources(self) -> dict[int, str]:
        with self._engine.connect() as connection:
            return {
                row.source_id: row.path for row in connection.execute(select(SourceEntry.__table__))
            }

    @cached_property
    def _field_counts(self) -> dict[str, int]:
        """Fields that a living image has, and how many."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(FieldEntry.__table__))
            counts = {row.field: int(row.images) for row in rows}
        for (field, _), lost in self._lost_terms.items():
            counts[field] = counts.get(field, 0) - lost
        return {field: count for field, count in counts.items() if count > 0}

    @cached_property
    def _lost_terms(self) -> Counter[tuple[str, str]]:
        """What the rows that were taken out could be found by, and how many of them."""
        lost: Counter[tuple[str, str]] = Counter()
        if self._alive is None:
            return lost
        for some in chunks(np.flatnonzero(~self._alive).tolist()):
            images = list(self._fetch(some))
            with self._engine.connect() as connection:
                of_cases = select(CaseEntry.__table__).where(
                    CaseEntry.case_id.in_({image.case_id for image in images})
                )
                cases = {row.case_id: case_record(row) for row in connection.execute(of_cases)}
            for image in images:
                lost.update(image_terms(cases[image.case_id], image).items())
        return lost

    def _counted(self, field: str) -> dict[str, int]:
        """How many images have each value of a field."""
        query = select(TermEntry.value, TermEntry.images).where(TermEntry.field == field)
        if field == "case_id":
            query = select(ImageEntry.case_id, func.count()).group_by(ImageEntry.case_id)
        lost = self._lost_terms
        with self._engine.connect() as connection:
            rows = connection.execute(query)
            return {value: int(images) - lost[field, value] for value, images in rows}

    def _counted_in(self, field: str, mask: RowMask) -> dict[str, int]:
        """The same among some rows."""
        if field == "case_id":
            return Counter(image.case_id for image in self._fetch(np.flatnonzero(mask).tolist()))
        query = select(TermEntry.value, TermEntry.rows).where(TermEntry.field == field)
        with self._engine.connect() as connection:
            rows = connection.execute(query)
            return {value: count_rows(packed, mask) for value, packed in rows}

    def _read_numbers(self, name: str) -> RowIds:
        with self._engine.connect() as connection:
            query = select(ArrayEntry.data).where(ArrayEntry.name == name)
            return unpack_numbers(connection.scalar(query) or b"")

    def _rows_of(self, name: str, keys: Iterable[int]) -> np.ndarray:
        return np.sort(self._numbers(name).all_rows(np.fromiter(keys, np.int64)))

    def _records(self, rows: np.ndarray) -> list[ImageRecord]:
        """Images of these rows that are there."""
        living = rows if self._alive is None else rows[self._alive[rows]]
        return list(self._fetch(living.tolist())) if len(living) else []

    def _fetch(self, rows: Sequence[int]) -> Iterator[ImageRecord]:
        query = select(ImageEntry.__table__).order_by(ImageEntry.row)
        with self._engine.connect() as connection:
            for some in chunks(rows):
                for row in connection.execute(query.where(ImageEntry.row.in_(some))):
                    yield image_record(row, source=self._sources[row.source_id])

    def _living_records(self, rows: Iterable[Row[Any]]) -> Iterator[ImageRecord]:
        for row in rows:
            if self._alive is None or self._alive[row.row]:
                yield image_record(row, source=self._sources[row.source_id])

    def _living(self, connection: Connection, case_ids: Sequence[str]) -> set[str] | None:
        """Which of these have an image that is there; ``None`` where all have."""
        if self._alive is None:
            return None
        query = select(ImageEntry.case_id, ImageEntry.row)
        rows = connection.execute(query.where(ImageEntry.case_id.in_(case_ids)))
        return {case_id for case_id, row in rows if self._alive[row]}

    def _having(self, connection: Connection, field: str, values: Sequence[str]) -> RowMask:
        """Rows that have one of the values in this field."""
        mask = np.zeros(self.row_count, np.bool_)
        folded = {value.casefold() for value in values}
        if field == "case_id":
            query = select(ImageEntry.row).join(CaseEntry)
            for some in chunks(folded):
                for row in connection.scalars(query.where(CaseEntry.folded.in_(some))):
                    mask[row] = True
            return mask
        of_field = select(TermEntry.rows).where(TermEntry.field == field)
        for some in chunks(folded):
            for packed in connection.scalars(of_field.where(TermEntry.folded.in_(some))):
                unpack_rows(packed, mask)
        return mask
