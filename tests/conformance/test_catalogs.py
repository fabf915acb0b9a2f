from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from servers import Postgres

from coin_retrieval.catalog.base import Catalog, CatalogWriter
from coin_retrieval.catalog.joined import JoinedCatalog
from coin_retrieval.config import PostgresCatalogSettings, SqliteCatalogSettings
from coin_retrieval.factory import make_catalog_writer, open_catalog
from coin_retrieval.testing.catalog_suite import (
    BLOOD,
    CERVIX,
    DRAWN,
    EOSINOPHIL,
    HSIL,
    LSIL,
    CatalogSuite,
)
from coin_retrieval.types import ImageRecord


class TestSqlite(CatalogSuite):
    settings = SqliteCatalogSettings()


class TestJoined(CatalogSuite):
    """Three segments; a case has images in two of them."""

    settings = SqliteCatalogSettings()

    def _joined(self, folder: Path, gone: Sequence[ImageRecord] = ()) -> Catalog:
        parts = []
        for number, records in enumerate(((LSIL,), (HSIL, EOSINOPHIL), (DRAWN,))):
            here = folder / str(number)
            here.mkdir(exist_ok=True)
            writer = make_catalog_writer(self.settings, here)
            cases = {record.case_id for record in records}
            writer.put([case for case in (CERVIX, BLOOD) if case.case_id in cases], records)
            alive = np.array([record not in gone for record in records])
            parts.append(open_catalog(self.settings, here, writer.seal(), alive=alive))
        return JoinedCatalog(parts)

    @pytest.fixture
    def full(self, tmp_path: Path) -> Catalog:
        return self._joined(tmp_path)

    @pytest.fixture
    def reduced(self, tmp_path: Path) -> Callable[..., Catalog]:
        return lambda *gone: self._joined(tmp_path, gone)


@pytest.mark.xdist_group("servers")
class TestPostgres(CatalogSuite):
    @pytest.fixture
    def writer(self, postgres: Postgres) -> Iterator[CatalogWriter]:
        with closing(make_catalog_writer(self._settings(postgres), Path())) as writer:
            yield writer

    @pytest.fixture
    def reopen(self, postgres: Postgres) -> Callable[..., Catalog]:
        return partial(open_catalog, self._settings(postgres), Path())

    def _settings(self, postgres: Postgres) -> PostgresCatalogSettings:
        return PostgresCatalogSettings(url=postgres.url, name="suite")
