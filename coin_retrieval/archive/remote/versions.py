"""The published versions of an archive, in PostgreSQL: who publishes, and who reads which.

A version's folder (its manifest, its lists) is some rows, and publishing is one transaction: a
reader sees the version before or the new one. Locks are sessions of the server's own (advisory
locks), which it lets go of when a process ends, however.
"""

from __future__ import annotations

import hashlib
import os
import socket
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import (
    Column,
    Connection,
    LargeBinary,
    MetaData,
    Table,
    Text,
    delete,
    func,
    insert,
    inspect,
    select,
    text,
    update,
)
from sqlalchemy.schema import CreateSchema

from coin_retrieval.catalog.postgres import connect
from coin_retrieval.config import PostgresCatalogSettings
from coin_retrieval.errors import ArchiveBusyError, ArchiveSchemaError, ArchiveServerError
from coin_retrieval.files import Closing

_METADATA = MetaData()
_ARCHIVE = Table("archive", _METADATA, Column("id", Text), Column("current", Text))
_FILES = Table(
    "version_files",
    _METADATA,
    *(Column(name, Text) for name in ("version", "name", "sha256")),
    Column("data", LargeBinary),
)
_BUILDING = 0
"""The number that a builder locks; others are versions."""

Digests = Mapping[tuple[str, str], str]
"""Version and file name → SHA-256 (hex)."""


class VersionRegistry:
    """What has been published under an archive's name, in a schema of that name."""

    def __init__(self, settings: PostgresCatalogSettings) -> None:
        self._name = settings.name
        self._server = connect(settings)
        self._engine = self._server.execution_options(schema_translate_map={None: settings.name})
        # locks are the database's: another archive's have another first number
        self._space = zlib.crc32(settings.name.encode()) - 2**31
        self._builder: Connection | None = None

    def prepare(self) -> None:
        """Make the tables, or bring them to what this program knows.

        Raises:
            ArchiveSchemaError: a newer program has changed them.
        """
        self._require_known()
        with self._server.begin() as connection:
            connection.execute(select(func.pg_advisory_xact_lock(self._space, -1)))
            connection.execute(CreateSchema(self._name, if_not_exists=True))
            config = _migrations()
            config.attributes |= {"connection": connection, "schema": self._name}
            command.upgrade(config, "head")

    @cached_property
    def identity(self) -> str:
        """By which the archive's collections are known; made with it, and no other's."""
        self.prepare()
        with self._engine.connect() as connection:
            return str(connection.scalar(select(_ARCHIVE.c.id)))

    def published(self) -> tuple[str | None, Digests]:
        """The current version, and the files of all; nothing, where nobody has built yet.

        Raises:
            ArchiveSchemaError: a newer program has changed the tables.
            ArchiveServerError: the server is away.
        """
        if not self._require_known():
            return None, {}
        files = select(_FILES.c.version, _FILES.c.name, _FILES.c.sha256)
        # both of one moment
        repeatable = self._engine.execution_options(isolation_level="REPEATABLE READ")
        with repeatable.connect() as connection:
            current = connection.scalar(select(_ARCHIVE.c.current))
            digests = {(v, n): sha256 for v, n, sha256 in connection.execute(files)}
        return current, digests

    def read(self, version: str, name: str) -> bytes | None:
        """A file of a version."""
        query = select(_FILES.c.data).where(_FILES.c.version == version, _FILES.c.name == name)
        with self._engine.connect() as connection:
            return connection.scalar(query)

    def publish(self, version: str, files: Mapping[str, bytes]) -> None:
        """Make a version the current one, in one transaction of the builder's own session.

        Raises:
            ArchiveServerError: the session has ended, and its lock with it.
        """
        if self._builder is None or self._builder.closed:
            raise ArchiveServerError(
                "the archive's lock was lost", remedy="run the same command again"
            )
        rows = [
            {"version": version, "name": n, "sha256": _sha256(data), "data": data}
            for n, data in files.items()
        ]
        with self._builder.begin():
            self._builder.execute(insert(_FILES), rows)
            self._builder.execute(update(_ARCHIVE).values(current=version))

    def replace(self, version: str, name: str, data: bytes) -> None:
        """Write a file of a published version anew."""
        changed = update(_FILES).where(_FILES.c.version == version, _FILES.c.name == name)
        with self._engine.begin() as connection:
            connection.execute(changed.values(data=data, sha256=_sha256(data)))

    def forget(self, versions: Iterable[str]) -> None:
        """Delete versions."""
        with self._engine.begin() as connection:
            connection.execute(delete(_FILES).where(_FILES.c.version.in_(list(versions))))

    @contextmanager
    def building(self) -> Iterator[None]:
        """Hold the archive for one build, on whatever machine.

        Raises:
            ArchiveBusyError: another process holds it.
        """
        with self._engine.connect() as connection:
            who = f"coin-index {socket.gethostname()} {os.getpid()}"
            connection.execute(select(func.set_config("application_name", who, False)))
            lock = select(func.pg_try_advisory_lock(self._space, _BUILDING))
            if not connection.scalar(lock):
                raise ArchiveBusyError(
                    f"the archive {self._name} is being built",
                    value=self._holder(connection),
                    expected="one build at a time",
                    remedy="wait until it ends, or stop it; the next build resumes what it did",
                )
            connection.commit()
            self._builder = connection
            try:
                yield
            finally:
                self._builder = None
                # a lock is the session's, and the session is not to be used again
                connection.invalidate()

    def hold(self, version: str) -> Closing:
        """Tell builders, until it is closed, that a version is read."""
        connection = self._engine.connect()
        connection.execute(select(func.pg_advisory_lock_shared(self._space, int(version))))
        connection.commit()
        return _Held(connection)

    def is_held(self, version: str) -> bool:
        """Whether anybody reads a version."""
        with self._engine.connect() as connection:
            # for this transaction only
            lock = select(func.pg_try_advisory_xact_lock(self._space, int(version)))
            return not connection.scalar(lock)

    def _holder(self, connection: Connection) -> str:
        query = text(
            "SELECT application_name FROM pg_stat_activity JOIN pg_locks USING (pid)"
            " WHERE locktype = 'advisory' AND granted AND objid = :number AND objsubid = 2"
            " AND classid::bigint = :space AND pg_locks.pid <> pg_backend_pid()"
        )
        known = {"number": _BUILDING, "space": self._space % 2**32}
        return str(connection.scalar(query, known) or "another process")

    def _require_known(self) -> bool:
        """Whether the tables are there; they may not be a newer program's."""
        with self._server.connect() as connection:
            if not inspect(connection).has_table("alembic_version", schema=self._name):
                return False
            version = Table("alembic_version", MetaData(), Column("version_num", Text))
            mapped = connection.execution_options(schema_translate_map={None: self._name})
            found = mapped.scalar(select(version.c.version_num))
        steps = ScriptDirectory.from_config(_migrations()).walk_revisions()
        known = {step.revision for step in steps}
        if found not in known:
            raise ArchiveSchemaError(
                f"the archive {self._name} was changed by a newer program",
                value=f"migration {found}",
                expected=f"at most {max(known)}",
                remedy="update coin-retrieval",
            )
        return True


class _Held(Closing):
    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def close(self) -> None:
        """Let go."""
        self._connection.invalidate()
        self._connection.close()


def _migrations() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
