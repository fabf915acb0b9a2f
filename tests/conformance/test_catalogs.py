from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine

from coin_retrieval.catalog.base import Catalog
from coin_retrieval.catalog.sql import SqlCatalog
from coin_retrieval.catalog.tables import Base
from coin_retrieval.testing.catalog_suite import CatalogSuite


class TestSqlite(CatalogSuite):
    @pytest.fixture
    def catalog(self, tmp_path: Path) -> Iterator[Catalog]:
        catalog = SqlCatalog.create(tmp_path / "catalog.sqlite")
        yield catalog
        catalog.close()


if POSTGRES := os.environ.get("COIN_TEST_POSTGRES"):

    class TestPostgres(CatalogSuite):
        """Runs where COIN_TEST_POSTGRES is the SQLAlchemy URL of an empty database."""

        @pytest.fixture
        def catalog(self) -> Iterator[Catalog]:
            engine = create_engine(POSTGRES)
            Base.metadata.drop_all(engine)
            engine.dispose()
            catalog = SqlCatalog.create(POSTGRES)
            yield catalog
            catalog.close()
