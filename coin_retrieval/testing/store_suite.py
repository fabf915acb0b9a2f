"""What every vector store promises. Subclass it, and name the settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from coin_retrieval.config import StoreSettings
from coin_retrieval.errors import InputError, NotFoundError
from coin_retrieval.factory import make_store, open_store
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.types import Embeddings, ImageIds, Location

DIM = 24
ROWS = 300


def random_units(n: int, *, seed: int, dim: int = DIM) -> Embeddings:
    rows = np.random.default_rng(seed).standard_normal((n, dim)).astype(np.float32)
    unit: Embeddings = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return unit


def far_apart_ids(n: int, *, seed: int = 7) -> ImageIds:
    """Distinct ids over the whole 53 bits, in no order."""
    return np.unique(np.random.default_rng(seed).integers(1, 2**53, 2 * n))[:n][::-1].copy()


class StoreSuite:
    """Subclasses name ``settings`` that the factory knows, or else give the two fixtures."""

    settings: StoreSettings

    @pytest.fixture
    def store(self) -> VectorStore:
        """Empty, of :data:`DIM`."""
        return make_store(self.settings, dim=DIM)

    @pytest.fixture
    def reopen(self) -> Callable[[Path, Location], VectorStore]:
        """Opens what was sealed."""
        return partial(open_store, self.settings, dim=DIM)

    @pytest.fixture
    def ids(self) -> ImageIds:
        return far_apart_ids(ROWS)

    @pytest.fixture
    def rows(self) -> Embeddings:
        return random_units(ROWS, seed=1)

    @pytest.fixture
    def full(self, store: VectorStore, ids: ImageIds, rows: Embeddings) -> VectorStore:
        store.add(ids, rows)
        return store

    def test_a_stored_row_finds_itself_with_similarity_one(
        self, full: VectorStore, ids: ImageIds, rows: Embeddings
    ) -> None:
        found = full.search(rows[:20], 1)
        assert [hits[0].image_id for hits in found] == ids[:20].tolist()
        assert [hits[0].similarity for hits in found] == pytest.approx([1.0] * 20, abs=1e-5)

    def test_hits_come_best_first_with_their_inner_product(
        self, full: VectorStore, ids: ImageIds, rows: Embeddings
    ) -> None:
        query = random_units(1, seed=2)
        hits = full.search(query, 7)[0]
        similarity = dict(zip(ids.tolist(), (rows @ query[0]).tolist(), strict=True))
        assert [h.similarity for h in hits] == sorted((h.similarity for h in hits), reverse=True)
        for hit in hits:
            assert hit.similarity == pytest.approx(similarity[hit.image_id], abs=1e-5)

    def test_it_finds_the_nearest(self, full: VectorStore, ids: ImageIds, rows: Embeddings) -> None:
        queries = random_units(30, seed=3)
        truth = ids[np.argsort(-(queries @ rows.T), axis=1)[:, :10]]
        found = [[hit.image_id for hit in hits] for hits in full.search(queries, 10)]
        shared = [len(set(f) & set(t.tolist())) / 10 for f, t in zip(found, truth, strict=True)]
        assert np.mean(shared) >= (1.0 if full.exact else 0.95)

    def test_its_measured_recall_is_one_where_it_is_exact_and_high_elsewhere(
        self, full: VectorStore
    ) -> None:
        recall = full.recall(random_units(30, seed=4))
        assert 0.95 <= recall <= 1.0
        if full.exact:
            assert recall == 1.0

    @pytest.mark.parametrize("allowed_count", [1, 3, 30, ROWS])
    def test_a_filter_gives_exactly_the_nearest_of_the_allowed(
        self, full: VectorStore, ids: ImageIds, rows: Embeddings, allowed_count: int
    ) -> None:
        chosen = np.random.default_rng(5).permutation(ROWS)[:allowed_count]
        queries = random_units(10, seed=6)
        found = full.search(queries, 10, allowed=ids[chosen])
        order = np.argsort(-(queries @ rows[chosen].T), axis=1)[:, :10]
        assert [[h.image_id for h in hits] for hits in found] == ids[chosen][order].tolist()

    def test_the_allowed_rows_are_found_even_where_they_are_the_farthest(
        self, full: VectorStore, ids: ImageIds, rows: Embeddings
    ) -> None:
        query = random_units(1, seed=8)
        farthest = np.argsort(rows @ query[0])[:5]
        hits = full.search(query, 5, allowed=ids[farthest])[0]
        assert {hit.image_id for hit in hits} == set(ids[farthest].tolist())

    def test_an_empty_filter_allows_nothing(self, full: VectorStore, rows: Embeddings) -> None:
        assert full.search(rows[:2], 5, allowed=np.empty(0, np.int64)) == [[], []]

    def test_unknown_and_repeated_ids_in_a_filter_change_nothing(
        self, full: VectorStore, ids: ImageIds, rows: Embeddings
    ) -> None:
        allowed = np.array([ids[0], ids[0], 2**53 + 5, ids[4]])
        hits = full.search(rows[:1], 10, allowed=allowed)[0]
        assert sorted(h.image_id for h in hits) == sorted([ids[0], ids[4]])

    def test_a_filter_of_unknown_ids_only_finds_nothing(
        self, full: VectorStore, rows: Embeddings
    ) -> None:
        assert full.search(rows[:1], 5, allowed=np.array([2**53 + 1])) == [[]]

    def test_asking_for_more_than_there_is_gives_all(
        self, full: VectorStore, ids: ImageIds, rows: Embeddings
    ) -> None:
        hits = full.search(rows[:1], ROWS + 50)[0]
        assert {hit.image_id for hit in hits} == set(ids.tolist())

    def test_an_empty_store_finds_nothing(self, store: VectorStore) -> None:
        assert len(store) == 0
        assert store.search(random_units(2, seed=1), 3) == [[], []]

    def test_a_removed_image_is_never_found(
        self, full: VectorStore, ids: ImageIds, rows: Embeddings
    ) -> None:
        gone = ids[::3]
        assert full.remove(gone) == len(gone)
        assert len(full) == ROWS - len(gone)
        found = {h.image_id for hits in full.search(rows, 20) for h in hits}
        assert not found & set(gone.tolist())
        assert full.search(rows[:1], 5, allowed=gone) == [[]]

    def test_rows_that_stay_keep_their_ids_after_a_removal(
        self, full: VectorStore, ids: ImageIds, rows: Embeddings
    ) -> None:
        full.remove(ids[:100])
        np.testing.assert_allclose(full.vectors(ids[100:]), rows[100:], atol=1e-6)
        assert full.search(rows[250:251], 1)[0][0].image_id == ids[250]

    def test_removing_counts_only_what_was_there(self, full: VectorStore, ids: ImageIds) -> None:
        assert full.remove(np.array([ids[0], ids[0], 2**53 + 9])) == 1
        assert full.remove(ids[:1]) == 0

    def test_everything_can_be_removed_and_added_again(
        self, full: VectorStore, ids: ImageIds, rows: Embeddings
    ) -> None:
        full.remove(ids)
        assert len(full) == 0
        full.add(ids[:5], rows[:5])
        assert full.search(rows[3:4], 1)[0][0].image_id == ids[3]

    def test_adding_an_id_again_replaces_its_row(self, full: VectorStore, ids: ImageIds) -> None:
        moved = random_units(1, seed=9)
        full.add(ids[:1], moved)
        assert len(full) == ROWS
        np.testing.assert_allclose(full.vectors(ids[:1]), moved, atol=1e-6)
        assert full.search(moved, 1)[0][0].image_id == ids[0]

    def test_rows_come_back_in_the_order_asked(
        self, full: VectorStore, ids: ImageIds, rows: Embeddings
    ) -> None:
        order = [200, 3, 77]
        np.testing.assert_allclose(full.vectors(ids[order]), rows[order], atol=1e-6)

    def test_a_row_that_is_not_there_is_an_error(self, full: VectorStore, ids: ImageIds) -> None:
        with pytest.raises(NotFoundError):
            full.vectors(np.array([ids[0], 2**53 + 3]))

    def test_its_ids_are_those_that_were_added(self, full: VectorStore, ids: ImageIds) -> None:
        assert sorted(full.ids().tolist()) == sorted(ids.tolist())

    def test_a_sealed_store_answers_as_before(
        self,
        full: VectorStore,
        ids: ImageIds,
        rows: Embeddings,
        reopen: Callable[[Path, Location], VectorStore],
        tmp_path: Path,
    ) -> None:
        opened = reopen(tmp_path, full.seal(tmp_path))
        queries = random_units(5, seed=10)
        assert opened.search(queries, 10) == full.search(queries, 10)
        assert opened.search(queries, 3, allowed=ids[:9]) == full.search(
            queries, 3, allowed=ids[:9]
        )
        np.testing.assert_array_equal(opened.vectors(ids), full.vectors(ids))
        assert (opened.exact, opened.kind) == (full.exact, full.kind)

    def test_a_sealed_store_lies_where_it_says(self, full: VectorStore, tmp_path: Path) -> None:
        location = full.seal(tmp_path)
        files = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
        assert set(location.files) == files
        assert location.files or location.collection

    def test_a_store_that_was_opened_can_still_be_changed(
        self,
        full: VectorStore,
        ids: ImageIds,
        rows: Embeddings,
        reopen: Callable[[Path, Location], VectorStore],
        tmp_path: Path,
    ) -> None:
        opened = reopen(tmp_path, full.seal(tmp_path))
        opened.remove(ids[:10])
        opened.add(np.array([42]), rows[:1])
        assert opened.search(rows[:1], 1)[0][0].image_id == 42
        assert len(opened) == ROWS - 9

    def test_embeddings_of_another_width_are_refused(self, store: VectorStore) -> None:
        with pytest.raises(InputError, match="do not fit"):
            store.add(np.array([1]), random_units(1, seed=1, dim=DIM + 1))
        with pytest.raises(InputError, match="do not fit"):
            store.search(random_units(1, seed=1, dim=DIM + 1), 1)

    def test_an_id_given_twice_is_refused(self, store: VectorStore) -> None:
        with pytest.raises(InputError, match="distinct"):
            store.add(np.array([1, 1]), random_units(2, seed=1))

    def test_k_below_one_is_refused(self, full: VectorStore, rows: Embeddings) -> None:
        with pytest.raises(InputError, match="k out of range"):
            full.search(rows[:1], 0)
