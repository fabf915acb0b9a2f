from __future__ import annotations

from pathlib import Path

import pytest

from coin_retrieval.config import FaissStoreSettings, FlatIndex, HnswIndex, IvfIndex
from coin_retrieval.factory import make_store_writer, open_store
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.stores.joined import JoinedStore
from coin_retrieval.testing.store_suite import DIM, ROWS, StoreSuite, random_units
from coin_retrieval.types import Embeddings, ImageIds, RowMask


class TestFaissFlat(StoreSuite):
    settings = FaissStoreSettings()


class TestFaissIvf(StoreSuite):
    settings = FaissStoreSettings(index=IvfIndex(train_from=200))


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


def test_no_store_at_all_finds_nothing() -> None:
    nothing = JoinedStore((), dim=DIM)
    assert nothing.search(random_units(2, seed=1), 3) == [[], []]
    assert (len(nothing), nothing.kind) == (0, "flat")
