"""Databases by their address, and their columns; which one it is, its driver decides."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, URL, DateTime, Engine, LargeBinary, Text, create_engine
from sqlalchemy.exc import ArgumentError

from coin_retrieval.errors import MissingDependencyError, SettingsError

COLUMN_TYPES = {
    # sorted as Python sorts it, whatever the database's language
    str: Text().with_variant(Text(collation="C"), "postgresql"),
    bytes: LargeBinary,
    datetime: DateTime(timezone=True),
    list[Any]: JSON,
    dict[str, Any]: JSON,
}
"""Of annotated columns, by their annotation."""


def connect(url: URL | str) -> Engine:
    """An engine for a database's URL; nothing is opened yet.

    Raises:
        MissingDependencyError: its driver is not installed.
        SettingsError: no URL of a database.
    """
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
            expected="a file, or for example postgresql+psycopg://user@host/database",
        ) from error
