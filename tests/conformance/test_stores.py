from __future__ import annotations

from coin_retrieval.config import FaissStoreSettings, HnswIndex, IvfIndex
from coin_retrieval.testing.store_suite import StoreSuite


class TestFaissFlat(StoreSuite):
    settings = FaissStoreSettings()


class TestFaissIvf(StoreSuite):
    settings = FaissStoreSettings(index=IvfIndex(train_from=200))


class TestFaissHnsw(StoreSuite):
    settings = FaissStoreSettings(index=HnswIndex())
