from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from coin_retrieval.stores.base import VectorStore
from coin_retrieval.stores.faiss import FaissStore
from coin_retrieval.testing.store_suite import DIM, StoreSuite


class TestFaissFlat(StoreSuite):
    @pytest.fixture
    def store(self) -> VectorStore:
        return FaissStore(DIM)

    @pytest.fixture
    def reopen(self) -> Callable[[Path], VectorStore]:
        return lambda path: FaissStore.load(path, dim=DIM)


class TestFaissIvf(StoreSuite):
    @pytest.fixture
    def store(self) -> VectorStore:
        return FaissStore(DIM, kind="ivf", train_from=200)

    @pytest.fixture
    def reopen(self) -> Callable[[Path], VectorStore]:
        return lambda path: FaissStore.load(path, dim=DIM, kind="ivf")


class TestFaissHnsw(StoreSuite):
    @pytest.fixture
    def store(self) -> VectorStore:
        return FaissStore(DIM, kind="hnsw")

    @pytest.fixture
    def reopen(self) -> Callable[[Path], VectorStore]:
        return lambda path: FaissStore.load(path, dim=DIM, kind="hnsw")
