from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy.exc import OperationalError

from coin_retrieval.catalog.database import open_database
from coin_retrieval.catalog.sql import SqlCatalog
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
    return SqlCatalog.open(SETTINGS, file.parent, Location(files=(file.name,)))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A published catalog in a folder whose name SQLite's URIs must have quoted."""
    folder = tmp_path / "50 % done? #1 für Ärzte"
    folder.mkdir()
    catalog = SqlCatalog.create(SETTINGS, folder)
    catalog.put([CERVIX, BLOOD], [LSIL, HSIL, EOSINOPHIL, DRAWN])
    catalog.close()
    return folder / "catalog.sqlite"


def test_a_published_catalog_opens_from_a_folder_with_odd_characters(file: Path) -> None:
    catalog = _open(file)
    assert catalog.counts() == (2, 4)
    catalog.close()


def test_a_published_catalog_cannot_be_changed(file: Path) -> None:
    catalog = _open(file)
    with pytest.raises(OperationalError, match="readonly"):
        catalog.remove([LSIL.image_id])
    catalog.close()
    assert [path.name for path in file.parent.iterdir()] == ["catalog.sqlite"]


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
        SqlCatalog.create(SETTINGS, file.parent)


def test_opening_an_existing_database_again_keeps_what_is_in_it(file: Path) -> None:
    catalog = SqlCatalog.create(SETTINGS, file.parent)
    assert catalog.counts() == (2, 4)
    catalog.close()


def test_a_filter_reads_an_index_and_not_every_image(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT image_id FROM image_terms WHERE term_id IN (1, 2)"
        ).fetchall()
    connection.close()
    assert "SEARCH" in plan[0][-1]
    assert "PRIMARY KEY" in plan[0][-1]


@pytest.mark.parametrize("url", ["no url", "oracledb2://host/name", "://"])
def test_what_is_no_database_url_is_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="postgresql"):
        open_database(url)


def test_a_driver_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDependencyError, match="psycopg"):
        open_database("postgresql+psycopg://nobody@127.0.0.1:9/none")


def test_a_catalog_of_version_1_has_no_patients_and_may_get_some(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("ALTER TABLE cases DROP COLUMN patient_id")
        connection.execute("ALTER TABLE images DROP COLUMN slide_id")
        connection.execute("UPDATE meta SET value = '1' WHERE key = 'schema_version'")
    connection.close()
    with closing(_open(file)) as old:
        assert old.cases(["c-1"]) == {"c-1": replace(CERVIX, patient_id="")}
        assert old.images([LSIL.image_id])[LSIL.image_id] == replace(LSIL, slide_id="")
    known = replace(CERVIX, patient_id="p-2")
    with closing(SqlCatalog.create(SETTINGS, file.parent)) as catalog:
        catalog.put([known], [replace(LSIL, slide_id="s-2")])
    with closing(_open(file)) as mended:
        assert mended.cases(["c-1"]) == {"c-1": known}
        assert mended.select({"slide_id": ["s-2"]}).tolist() == [LSIL.image_id]
        assert mended.select({"patient_id": ["p-2"]}).tolist() == [HSIL.image_id, LSIL.image_id]
