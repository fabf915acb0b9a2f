"""Opening the catalog's database, and refusing one that is none."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    URL,
    ColumnElement,
    Engine,
    QueuePool,
    Table,
    create_engine,
    func,
    insert,
    inspect,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.exc import ArgumentError, DatabaseError

from coin_retrieval.catalog.tables import ADDED, SCHEMA_VERSION, Base, MetaEntry
from coin_retrieval.errors import (
    ArchiveCorruptError,
    ArchiveSchemaError,
    MissingDependencyError,
    SettingsError,
)


def open_database(where: str | Path) -> Engine:
    """A SQLAlchemy URL, or an SQLite file by its path; makes what tables and columns it lacks.

    Raises:
        ArchiveSchemaError: written by a newer program.
        ArchiveCorruptError: not a database, or not a catalog.
        MissingDependencyError: the database's driver is not installed.
        SettingsError: not a URL.
    """
    # a path may hold characters that mean something in a URL
    url = URL.create("sqlite", database=str(where)) if isinstance(where, Path) else where
    engine = _engine(url)
    location = engine.url.render_as_string(hide_password=True)
    with _refusing_others(location), engine.begin() as connection:
        Base.metadata.create_all(connection)
        if not connection.scalar(select(func.count()).select_from(MetaEntry)):
            version = {"key": "schema_version", "value": str(SCHEMA_VERSION)}
            connection.execute(insert(MetaEntry), [version])
    if _check_schema(engine, location) < SCHEMA_VERSION:
        with engine.begin() as connection:
            for table, column in ADDED.items():
                connection.execute(
                    text(f"ALTER TABLE {table} ADD COLUMN {column} TEXT NOT NULL DEFAULT ''")
                )
            of_schema = update(MetaEntry).where(MetaEntry.key == "schema_version")
            connection.execute(of_schema.values(value=str(SCHEMA_VERSION)))
    return engine


def open_read_only(path: Path) -> Engine:
    """A published SQLite file, for reading only; it is never locked nor changed.

    Raises:
        ArchiveSchemaError: written by a newer program.
        ArchiveCorruptError: missing, not a database, or not a catalog.
    """
    # immutable: no lock files, so that an archive can lie on a read-only or a network disk
    uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(uri, uri=True, check_same_thread=False),
        poolclass=QueuePool,
    )
    _check_schema(engine, str(path))
    return engine


def columns_in(engine: Engine, table: Table) -> list[ColumnElement[Any]]:
    """The table's columns; those that an earlier program's catalog lacks as empty texts."""
    present = {column["name"] for column in inspect(engine).get_columns(table.name)}
    return [
        column if column.name in present else literal("").label(column.name)
        for column in table.columns
    ]


def _engine(url: URL | str) -> Engine:
    try:
        return create_engine(url)
    except ImportError as error:
        raise MissingDependencyError(
            f"the database's driver is not installed ({error})",
            remedy="pip install it, for PostgreSQL: pip install psycopg[binary]",
        ) from error
    except ArgumentError as error:
        raise SettingsError(
            f"not the URL of a database ({error})",
            expected="for example postgresql+psycopg://user@host/database",
        ) from error


def _check_schema(engine: Engine, location: str) -> int:
    with _refusing_others(location), engine.connect() as connection:
        found = connection.scalar(select(MetaEntry.value).where(MetaEntry.key == "schema_version"))
    if found is None or not found.isdigit():
        raise ArchiveCorruptError(
            "the catalog does not say its version",
            value=location,
            expected="a catalog that this program wrote",
            remedy="build the archive again",
        )
    if int(found) > SCHEMA_VERSION:
        raise ArchiveSchemaError(
            f"the catalog {location} was written by a newer program",
            value=f"catalog schema {found}",
            expected=f"at most {SCHEMA_VERSION}",
            remedy="update coin-retrieval, or build the archive again",
        )
    return int(found)


@contextmanager
def _refusing_others(location: str) -> Iterator[None]:
    try:
        yield
    except DatabaseError as error:
        raise ArchiveCorruptError(
            f"the catalog cannot be read ({error.orig})",
            value=location,
            expected="a catalog that this program wrote",
            remedy="build the archive again",
        ) from error
