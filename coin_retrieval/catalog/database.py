"""Opening the catalog's database, and refusing one that is none."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Engine, QueuePool, create_engine, event, func, insert, select
from sqlalchemy.exc import DatabaseError

from coin_retrieval.catalog.tables import SCHEMA_VERSION, Base, MetaEntry
from coin_retrieval.databases import connect
from coin_retrieval.errors import (
    ArchiveCorruptError,
    ArchiveSchemaError,
)

_CACHE_KIB = 256
"""Of pages that a connection for reading keeps; SQLite's own choice is 2,000."""


def open_database(where: str | Path) -> Engine:
    """A SQLAlchemy URL, or an SQLite file by its path; makes the tables where there are none.

    Raises:
        ArchiveSchemaError: written by a newer program.
        ArchiveCorruptError: not a database, or not a catalog.
        MissingDependencyError: the database's driver is not installed.
        SettingsError: not a URL.
    """
    # a path may hold characters that mean something in a URL
    url = URL.create("sqlite", database=str(where)) if isinstance(where, Path) else where
    engine = connect(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _write_through)
    location = engine.url.render_as_string(hide_password=True)
    with _refusing_others(location), engine.begin() as connection:
        Base.metadata.create_all(connection)
        if not connection.scalar(select(func.count()).select_from(MetaEntry)):
            version = {"key": "schema_version", "value": str(SCHEMA_VERSION)}
            connection.execute(insert(MetaEntry), [version])
    _check_schema(engine, location)
    return engine


def open_read_only(path: Path) -> Engine:
    """A published SQLite file, for reading only; it is never locked nor changed.

    Raises:
        ArchiveSchemaError: written by a newer program.
        ArchiveCorruptError: missing, not a database, or not a catalog.
    """
    engine = _read_only(path)
    _check_schema(engine, str(path))
    return engine


def _read_only(path: Path) -> Engine:
    # immutable: no lock files, so that an archive can lie on a read-only or a network disk
    uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"

    def opened() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, check_same_thread=False)
        # an archive is a hundred such files; the system's own cache holds what is read often
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        return connection

    return create_engine("sqlite://", creator=opened, poolclass=QueuePool)


def open_memory() -> Engine:
    """An empty catalog in memory, which its connections share; it is gone when all are closed."""
    uri = f"file:catalog-{uuid.uuid4()}?mode=memory&cache=shared"
    engine = create_engine(
        "sqlite://",
        creator=lambda: sqlite3.connect(uri, uri=True, check_same_thread=False),
        poolclass=QueuePool,
        pool_reset_on_return=None,
    )
    Base.metadata.create_all(engine)
    return engine


def written_schema(path: Path) -> int:
    """The schema of a published SQLite file.

    Raises:
        ArchiveSchemaError: written by a newer program.
        ArchiveCorruptError: missing, not a database, or not a catalog.
    """
    engine = _read_only(path)
    try:
        return _check_schema(engine, str(path))
    finally:
        engine.dispose()


def _write_through(connection: sqlite3.Connection, _: object) -> None:
    """Nobody reads a catalog while it is written, and publishing flushes the whole file."""
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA journal_mode = MEMORY")


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
