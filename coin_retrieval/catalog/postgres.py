"""The catalog in PostgreSQL: a segment is a schema of the database, with the same tables.

A segment's tables are written once and then only read, by any number of servers; a session of the
server's own keeps them whole.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Self

from sqlalchemy import URL, Engine, create_engine, event, insert, inspect, make_url, select
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import ArgumentError
from sqlalchemy.schema import CreateSchema, DropSchema

from coin_retrieval.catalog.sql import SqlCatalog
from coin_retrieval.catalog.tables import SCHEMA_VERSION, Base, MetaEntry
from coin_retrieval.catalog.writing import SqlCatalogWriter
from coin_retrieval.config import PostgresCatalogSettings
from coin_retrieval.errors import (
    ArchiveCorruptError,
    ArchiveSchemaError,
    ArchiveServerError,
    SettingsError,
)
from coin_retrieval.types import ImageIds, Location, RowMask

_DRIVER = "postgresql+psycopg"
_SERVER_STATES = {"57": "the database server is stopping", "53": "the database server is full"}
"""SQLSTATE classes: operator intervention, and insufficient resources."""

_CANCELLED = "57014"


class PostgresCatalogWriter(SqlCatalogWriter):
    """Into a schema that no reader knows before it is sealed."""

    def __init__(self, settings: PostgresCatalogSettings) -> None:
        self._settings = settings
        self._schema = f"{settings.name}__{secrets.token_hex(8)}"
        self._server = connect(settings)
        self._sealed = False
        engine = _of_schema(self._server, self._schema)
        with engine.begin() as connection:
            connection.execute(CreateSchema(self._schema))
            Base.metadata.create_all(connection)
            version = {"key": "schema_version", "value": str(SCHEMA_VERSION)}
            connection.execute(insert(MetaEntry), [version])
        super().__init__(engine)

    def seal(self) -> Location:
        """Write what rows are found by; says which schema."""
        self.finish()
        self._sealed = True
        return Location(collection=self._schema)

    def close(self) -> None:
        """Delete what was not sealed; where the server is away, a later change does."""
        if not self._sealed:
            self._sealed = True
            try:
                drop_schemas(self._settings, [self._schema])
            except ArchiveServerError:
                return


class PostgresCatalog(SqlCatalog):
    """A segment's schema, read over connections that all of an archive's segments share."""

    @classmethod
    def open(
        cls,
        settings: PostgresCatalogSettings,  # type: ignore[override]
        folder: Path,
        location: Location,
        *,
        alive: RowMask | None = None,
        row_order: ImageIds | None = None,
        held: bool = True,
    ) -> Self:
        """What :class:`PostgresCatalogWriter` sealed.

        Raises:
            ArchiveCorruptError: it is not in the database.
            ArchiveSchemaError: a newer program wrote it.
            ArchiveServerError: the server is away or refuses.
        """
        schema = location.collection or ""
        engine = _of_schema(connect(settings), schema)
        with engine.connect() as connection:
            there = schema and inspect(connection).has_table("arrays", schema=schema)
            query = select(MetaEntry.value).where(MetaEntry.key == "schema_version")
            found = connection.scalar(query) if there else None
        if found is None:
            raise ArchiveCorruptError(
                "the records are not in the database",
                value=schema,
                expected=f"a schema of {settings.url}",
                remedy="restore the database from a backup, or build the archive again",
            )
        if int(found) > SCHEMA_VERSION:
            raise ArchiveSchemaError(
                f"the records in {schema} were written by a newer program",
                value=f"catalog schema {found}",
                expected=f"at most {SCHEMA_VERSION}",
                remedy="update coin-retrieval, or build the archive again",
            )
        return cls(engine, alive, held=held)

    def close(self) -> None:
        """Nothing: the connections are everybody's."""


def connect(settings: PostgresCatalogSettings) -> Engine:
    """Connections to the database, shared by all that ask for the same one.

    Raises:
        SettingsError: not the URL of a PostgreSQL database, or with a password in it.
    """
    try:
        url = make_url(settings.url)
    except ArgumentError as error:
        raise _not_a_url("no URL") from error
    if url.get_backend_name() != "postgresql":
        raise _not_a_url(url.render_as_string())
    if url.password is not None:
        raise SettingsError(
            "a password does not belong into an archive's address",
            expected=f"{url.set(password=None).render_as_string()}",
            remedy="put it into the file that PGPASSFILE names (~/.pgpass), readable by you alone",
        )
    return _engine(url.set(drivername=_DRIVER), settings.timeout_s)


def drop_schemas(settings: PostgresCatalogSettings, schemas: Collection[str]) -> None:
    """Delete segments for good.

    Raises:
        ArchiveServerError: the server is away, or refuses.
    """
    with connect(settings).begin() as connection:
        for schema in schemas:
            connection.execute(DropSchema(schema, cascade=True, if_exists=True))


def schemas_of(settings: PostgresCatalogSettings) -> list[str]:
    """All segments that an archive has in the database, published or not."""
    name = re.compile(rf"{re.escape(settings.name)}__[0-9a-f]{{16}}")
    with connect(settings).connect() as connection:
        return [s for s in inspect(connection).get_schema_names() if name.fullmatch(s)]


@lru_cache(maxsize=32)
def _engine(url: URL, timeout_s: float) -> Engine:
    engine = create_engine(
        url,
        pool_pre_ping=True,
        pool_timeout=timeout_s,
        connect_args={
            "connect_timeout": max(2, round(timeout_s)),
            "options": f"-c statement_timeout={round(1000 * timeout_s)}",
        },
    )
    event.listen(engine, "handle_error", _tell)
    return engine


def _of_schema(engine: Engine, schema: str) -> Engine:
    return engine.execution_options(schema_translate_map={None: schema})


def _tell(context: ExceptionContext) -> None:
    """What the server or the way to it refuses is told in words."""
    error = context.original_exception
    state = getattr(error, "sqlstate", None) or ""
    lost = context.is_disconnect or state.startswith("08") or context.connection is None
    if context.is_pre_ping or not (lost or state[:2] in _SERVER_STATES):
        return
    problem = _SERVER_STATES.get(state[:2], "the database server is away")
    remedy = "start it, mend its address, or give it room; then run the same again"
    if state == _CANCELLED:
        problem = "the database server did not answer in time"
        remedy = "wait until it is less busy, or give it more time"
    engine = context.engine
    raise ArchiveServerError(
        f"{problem} ({' '.join(str(error).split())[:300]})",
        value=engine.url.render_as_string() if engine is not None else None,
        expected="a PostgreSQL server",
        remedy=remedy,
    ) from error


def _not_a_url(found: str) -> SettingsError:
    return SettingsError(
        "not the URL of a PostgreSQL database",
        value=found,
        expected="for example postgresql://user@host/database",
    )
