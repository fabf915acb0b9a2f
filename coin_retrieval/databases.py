"""Databases by their address; which one it is, its driver decides."""

from __future__ import annotations

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.exc import ArgumentError

from coin_retrieval.errors import MissingDependencyError, SettingsError


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
