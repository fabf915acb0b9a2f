from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from coin_retrieval.archive.manifest import MeasuredRecall
from coin_retrieval.calibrating.index_recall import measure_recall
from coin_retrieval.config import FaissIndex, FaissStoreSettings, FlatIndex, IvfIndex
from coin_retrieval.factory import make_store_writer, open_store
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.testing.store_suite import far_apart_ids, random_units

LISTS = IvfIndex(train_from=1000, lists=64, probes=2)


def _store(index: FaissIndex, folder: Path) -> VectorStore:
    settings = FaissStoreSettings(index=index)
    writer = make_store_writer(settings, folder, dim=16)
    writer.add(far_apart_ids(2000), random_units(2000, seed=1, dim=16))
    return open_store(settings, folder, writer.seal(), dim=16)


def test_an_exact_store_has_nothing_to_measure(tmp_path: Path) -> None:
    assert measure_recall(_store(FlatIndex(), tmp_path)) is None


@pytest.mark.parametrize("target", [0.6, 0.98])
def test_a_store_is_searched_as_widely_as_every_kind_of_query_needs(
    target: float, tmp_path: Path
) -> None:
    store = _store(LISTS.model_copy(update={"recall": target}), tmp_path)
    texts, drawn = (random_units(50, seed=seed, dim=16) for seed in (2, 3))
    pictures = random_units(50, seed=4, dim=16)
    found = measure_recall(store, images=pictures, texts=texts, prototypes=drawn)
    assert found is not None
    assert found.texts is not None
    assert found.prototypes is not None
    assert target <= min(found.images, found.texts, found.prototypes)
    assert found.texts == pytest.approx(store.recall(texts)), "the store stays as wide"
    store.widen(max(1.0, found.width / 2))
    narrower = min(store.recall(rows) for rows in (texts, drawn, pictures))
    assert found.width == 1 or narrower < found.texts


def test_what_was_measured_before_is_kept_and_the_search_never_narrower(tmp_path: Path) -> None:
    store = _store(LISTS, tmp_path)
    before = MeasuredRecall(k=10, images=0.99, texts=0.985, width=3)
    assert measure_recall(store, before=before) == before
    drawn = random_units(50, seed=3, dim=16)
    found = measure_recall(store, prototypes=drawn, before=before)
    assert found is not None
    assert (found.images, found.texts) == (0.99, 0.985)
    assert found.prototypes == pytest.approx(store.recall(drawn))
    assert found.width >= 3


def test_fewer_rows_than_places_are_all_found(tmp_path: Path) -> None:
    settings = FaissStoreSettings(index=IvfIndex(train_from=1))
    writer = make_store_writer(settings, tmp_path, dim=16)
    rows = random_units(3, seed=1, dim=16)
    writer.add(np.arange(3), rows)
    found = measure_recall(open_store(settings, tmp_path, writer.seal(), dim=16), images=rows)
    assert found == MeasuredRecall(k=10, images=1)
