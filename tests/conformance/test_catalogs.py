from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from sqlalchemy import create_engine

from coin_retrieval.catalog.base import Catalog
from coin_retrieval.catalog.database import open_database
from coin_retrieval.catalog.sql import SqlCatalog
from coin_retrieval.catalog.tables import Base
from coin_retrieval.config import SqliteCatalogSettings
from coin_retrieval.testing.catalog_suite import CatalogSuite
from coin_retrieval.types import Location


class TestSqlite(CatalogSuite):
    settings = SqliteCatalogSettings()


if POSTGRES := os.environ.get("COIN_TEST_POSTGRES"):

    class TestPostgres(CatalogSuite):
        """Runs where COIN_TEST_POSTGRES is the SQLAlchemy URL of an empty database."""

        @pytest.fixture
        def catalog(self) -> Iterator[Catalog]:
            engine = create_engine(POSTGRES)
            Base.metadata.drop_all(engine)
            engine.dispose()
            with closing(SqlCatalog(open_database(POSTGRES))) as catalog:
                yield catalog

        @pytest.fixture
        def reopen(self) -> Callable[[Location], Catalog]:
            return lambda _: SqlCatalog(open_database(POSTGRES))
