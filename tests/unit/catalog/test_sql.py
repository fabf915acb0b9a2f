from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from coin_retrieval.catalog.database import open_database
from coin_retrieval.catalog.lookups import LOOKUPS
from coin_retrieval.catalog.sql import SqlCatalog
from coin_retrieval.catalog.writing import SqlCatalogWriter
from coin_retrieval.config import SqliteCatalogSettings
from coin_retrieval.errors import (
    ArchiveCorruptError,
    ArchiveSchemaError,
    MissingDependencyError,
    SettingsError,
)
from coin_retrieval.testing.catalog_suite import BLOOD, CERVIX, DRAWN, EOSINOPHIL, HSIL, LSIL
from coin_retrieval.types import Location

SETTINGS = SqliteCatalogSettings()


def _open(file: Path) -> SqlCatalog:
    beside = (LOOKUPS,) if (file.parent / LOOKUPS).exists() else ()
    return SqlCatalog.open(SETTINGS, file.parent, Location(files=(file.name, *beside)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A published catalog in a folder whose name SQLite's URIs must have quoted."""
    folder = tmp_path / "50 % done? #1 für Ärzte"
    folder.mkdir()
    writer = SqlCatalogWriter.create(SETTINGS, folder)
    writer.put([CERVIX, BLOOD], [LSIL, HSIL, EOSINOPHIL, DRAWN])
    return folder / writer.seal().files[0]


def test_a_published_catalog_opens_from_a_folder_with_odd_characters(file: Path) -> None:
    catalog = _open(file)
    assert catalog.counts() == (2, 4)
    catalog.close()


def test_a_published_catalog_cannot_be_changed(file: Path) -> None:
    catalog = _open(file)
    with pytest.raises(OperationalError, match="readonly"), catalog._engine.begin() as connection:
        connection.execute(text("DELETE FROM images"))
    catalog.close()
    assert sorted(path.name for path in file.parent.iterdir()) == ["catalog.sqlite", LOOKUPS]


def test_a_published_catalog_opens_where_nothing_may_be_written(file: Path) -> None:
    file.chmod(0o444)
    file.parent.chmod(0o555)
    try:
        catalog = _open(file)
        assert len(catalog.select({"site": ["cervix"]})) == 2
        catalog.close()
    finally:
        file.parent.chmod(0o755)


def test_a_missing_catalog_is_refused_and_not_made(tmp_path: Path) -> None:
    with pytest.raises(ArchiveCorruptError, match="build the archive again"):
        _open(tmp_path / "none.sqlite")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"no database at all, but long enough" * 40])
def test_a_file_that_is_no_catalog_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "catalog.sqlite"
    path.write_bytes(content)
    with pytest.raises(ArchiveCorruptError):
        _open(path)


def test_a_catalog_of_a_newer_program_is_refused(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    connection.close()
    with pytest.raises(ArchiveSchemaError, match="update coin-retrieval"):
        _open(file)
    with pytest.raises(ArchiveSchemaError):
        SqlCatalogWriter.create(SETTINGS, file.parent)


def test_a_filter_reads_an_index_and_not_every_image(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT rows FROM terms WHERE field = 'site' AND folded IN ('a')"
        ).fetchall()
    connection.close()
    assert "SEARCH" in plan[0][-1]
    assert "ix_terms_field_folded" in plan[0][-1]


@pytest.mark.parametrize("url", ["no url", "oracledb2://host/name", "://"])
def test_what_is_no_database_url_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="postgresql"):
        open_database(url)


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDependencyError, match="psycopg"):
        open_database("postgresql+psycopg://nobody@127.0.0.1:9/none")


EARLIER = Path(__file__).parents[2] / "archives" / "schema_1" / "versions" / "000001"


def test_a_catalog_that_knew_no_rows_is_read_in_those_of_its_vectors() -> None:
    file = EARLIER / "catalog.sqlite"
    with closing(_open(file)) as by_id:
        ids = by_id.ids()
        assert ids.tolist() == sorted(ids.tolist())
    order = ids[::-1].copy()
    location = Location(files=(file.name,))
    with closing(SqlCatalog.open(SETTINGS, EARLIER, location, row_order=order)) as catalog:
        assert catalog.ids().tolist() == order.tolist()
        assert catalog.counts() == (4, 8)
        assert catalog.cases(["case-1"])["case-1"].report == "Report of case 1."
        images = catalog.case_images("case-1")
        assert {image.slide_id for image in images} == {""}
        assert catalog.select({"case_id": ["CASE-1"]}).tolist() == [i.image_id for i in images]
        assert catalog.of_contents([images[0].content_hash]) == [images[0]]


def test_a_catalog_that_knew_no_rows_and_is_of_other_vectors_is_refused() -> None:
    location = Location(files=("catalog.sqlite",))
    with pytest.raises(ArchiveCorruptError, match="different images"):
        SqlCatalog.open(SETTINGS, EARLIER, location, row_order=np.arange(8))
