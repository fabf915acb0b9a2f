"""Catalogs of schema 1 and 2, which had no rows: read once, into tables in memory."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from sqlalchemy import Engine

from coin_retrieval.catalog.database import open_memory
from coin_retrieval.catalog.writing import SqlCatalogWriter, chunks
from coin_retrieval.errors import ArchiveCorruptError
from coin_retrieval.types import (
    CaseRecord,
    DiagnosisCode,
    ImageId,
    ImageIds,
    ImageRecord,
    Origin,
)

_AT_ONCE = 10_000


def open_earlier(path: Path, row_order: ImageIds | None) -> Engine:
    """The records of an SQLite file, by the rows of ``row_order`` or by id.

    Raises:
        ArchiveCorruptError: they cannot be read, or are not of these rows.
    """
    try:
        uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            connection.row_factory = sqlite3.Row
            return _copied(connection, row_order)
    except (sqlite3.DatabaseError, LookupError, ValueError) as error:
        raise ArchiveCorruptError(
            f"the catalog cannot be read ({error})",
            value=str(path),
            expected="a catalog that an earlier program wrote",
            remedy="build the archive again",
        ) from error


def _copied(connection: sqlite3.Connection, row_order: ImageIds | None) -> Engine:
    stored = [i for (i,) in connection.execute("SELECT image_id FROM images ORDER BY image_id")]
    if row_order is None:
        row_order = np.array(stored, np.int64)
    if not np.array_equal(np.sort(row_order), stored):
        raise ArchiveCorruptError(
            "catalog and store name different images",
            value=f"{len(stored)} records, {len(row_order)} rows",
            expected="a record for each row",
            remedy="build the archive again",
        )
    engine = open_memory()
    writer = SqlCatalogWriter(engine)
    # closing it would be the end of what lies in memory
    held = engine.connect()
    writer.put(_cases(connection), ())
    for ids in chunks(row_order.tolist(), _AT_ONCE):
        by_id = {image.image_id: image for image in _images(connection, ids)}
        writer.put((), [by_id[i] for i in ids])
    writer.finish()
    held.close()
    return engine


def _cases(connection: sqlite3.Connection) -> Iterator[CaseRecord]:
    for row in connection.execute("SELECT * FROM cases"):
        yield CaseRecord(
            case_id=row["case_id"],
            site=row["site"],
            specimen=row["specimen"],
            stain=row["stain"],
            report=row["report"],
            codes=tuple(DiagnosisCode(*code) for code in json.loads(row["codes"])),
            patient_id=row["patient_id"] if "patient_id" in row.keys() else "",  # noqa: SIM118
        )


def _images(connection: sqlite3.Connection, ids: list[int]) -> Iterator[ImageRecord]:
    for some in chunks(ids):
        marks = ", ".join("?" * len(some))
        query = f"SELECT * FROM images WHERE image_id IN ({marks})"  # noqa: S608 - question marks
        for row in connection.execute(query, some):
            yield ImageRecord(
                image_id=ImageId(row["image_id"]),
                case_id=row["case_id"],
                uri=row["uri"],
                content_hash=row["content_hash"],
                width_px=row["width_px"],
                height_px=row["height_px"],
                diagnosis=row["diagnosis"],
                finding=row["finding"],
                mpp_um=row["mpp_um"],
                origin=Origin(row["origin"]),
                attributes=json.loads(row["attributes"]),
                slide_id=row["slide_id"] if "slide_id" in row.keys() else "",  # noqa: SIM118
            )
