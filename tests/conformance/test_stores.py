from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from servers import Milvus

from coin_retrieval.config import (
    AutoIndex,
    FaissStoreSettings,
    FlatIndex,
    HnswIndex,
    IvfIndex,
    MilvusStoreSettings,
)
from coin_retrieval.factory import join_stores, make_store_writer, open_store
from coin_retrieval.stores.base import StoreWriter, VectorStore
from coin_retrieval.stores.joined import JoinedStore
from coin_retrieval.testing.store_suite import (
    DIM,
    ROWS,
    StoreSuite,
    far_apart_ids,
    random_units,
)
from coin_retrieval.types import Embeddings, ImageIds, Location, RowMask


class TestFaissFlat(StoreSuite):
    settings = FaissStoreSettings()


class TestFaissIvf(StoreSuite):
    settings = FaissStoreSettings(index=IvfIndex(train_from=200))


class TestFaissAuto(StoreSuite):
    """Lists from the first row on: nothing is small enough to be scanned or linked."""

    settings = FaissStoreSettings(index=AutoIndex(scan_mb=0, memory_mb=0))


class TestFaissHnsw(StoreSuite):
    settings = FaissStoreSettings(index=HnswIndex())


class TestJoined(StoreSuite):
    """Segments of different sizes and kinds, as an archive has them."""

    settings = FaissStoreSettings()

    def _joined(
        self, folder: Path, ids: ImageIds, rows: Embeddings, alive: RowMask | None
    ) -> VectorStore:
        parts = []
        kinds = (FlatIndex(), HnswIndex(), IvfIndex(train_from=50), FlatIndex())
        spans = ((0, 90), (90, 91), (91, 91), (91, ROWS))
        for number, ((a, b), index) in enumerate(zip(spans, kinds, strict=True)):
            here = folder / str(number)
            here.mkdir()
            settings = FaissStoreSettings(index=index)
            writer = make_store_writer(settings, here, dim=DIM)
            writer.add(ids[a:b], rows[a:b])
            left = None if alive is None else alive[a:b]
            parts.append(open_store(settings, here, writer.seal(), dim=DIM, alive=left))
        return JoinedStore(parts, dim=DIM)

    @pytest.fixture
    def full(self, tmp_path: Path, ids: ImageIds, rows: Embeddings) -> VectorStore:
        return self._joined(tmp_path, ids, rows, None)

    @pytest.fixture
    def reduced(
        self,
        tmp_path_factory: pytest.TempPathFactory,
        ids: ImageIds,
        rows: Embeddings,
        alive: RowMask,
    ) -> VectorStore:
        return self._joined(tmp_path_factory.mktemp("reduced"), ids, rows, alive)


@pytest.mark.xdist_group("servers")
class TestMilvusFlat(StoreSuite):
    """Partitions of one collection; the rows are written once for all tests that read them."""

    index: FlatIndex | IvfIndex = FlatIndex()

    @pytest.fixture
    def writer(self, milvus: Milvus) -> Iterator[StoreWriter]:
        with closing(make_store_writer(self._settings(milvus), Path(), dim=DIM)) as writer:
            yield writer

    @pytest.fixture
    def reopen(self, milvus: Milvus) -> Callable[..., VectorStore]:
        return partial(open_store, self._settings(milvus), Path(), dim=DIM)

    @pytest.fixture(scope="class")
    @classmethod
    def location(cls, milvus: Milvus) -> Location:
        ids, rows = far_apart_ids(ROWS), random_units(ROWS, seed=1)
        writer = make_store_writer(cls._settings(milvus), Path(), dim=DIM)
        writer.add(ids[:100], rows[:100])
        writer.add(ids[100:], rows[100:])
        return writer.seal()

    @classmethod
    def _settings(cls, milvus: Milvus) -> MilvusStoreSettings:
        return MilvusStoreSettings(uri=milvus.uri, name="suite", index=cls.index)


class TestMilvusIvf(TestMilvusFlat):
    index = IvfIndex(lists=16)


class TestMilvusJoined(TestMilvusFlat):
    """Segments of different sizes, of one an empty one, that the server searches together."""

    @pytest.fixture(scope="class")
    @classmethod
    def locations(cls, milvus: Milvus) -> list[tuple[Location, int, int]]:
        ids, rows = far_apart_ids(ROWS), random_units(ROWS, seed=1)
        parts = []
        for a, b in ((0, 90), (90, 91), (91, 91), (91, ROWS)):
            writer = make_store_writer(cls._settings(milvus), Path(), dim=DIM)
            writer.add(ids[a:b], rows[a:b])
            parts.append((writer.seal(), a, b))
        return parts

    def _joined(
        self, milvus: Milvus, locations: list[tuple[Location, int, int]], alive: RowMask | None
    ) -> VectorStore:
        settings = self._settings(milvus)
        parts = [
            open_store(
                settings, Path(), where, dim=DIM, alive=None if alive is None else alive[a:b]
            )
            for where, a, b in locations
        ]
        return join_stores(parts, dim=DIM)

    @pytest.fixture
    def full(self, milvus: Milvus, locations: list[tuple[Location, int, int]]) -> VectorStore:
        return self._joined(milvus, locations, None)

    @pytest.fixture
    def reduced(
        self, milvus: Milvus, locations: list[tuple[Location, int, int]], alive: RowMask
    ) -> VectorStore:
        return self._joined(milvus, locations, alive)


def test_no_store_at_all_finds_nothing() -> None:
    nothing = JoinedStore((), dim=DIM)
    assert nothing.search(random_units(2, seed=1), 3) == [[], []]
    assert (len(nothing), nothing.kind) == (0, "flat")
