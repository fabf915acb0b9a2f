"""What every vector store promises. Subclass it, and name the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from coin_retrieval.config import StoreSettings
from coin_retrieval.errors import InputError, NotFoundError
from coin_retrieval.factory import make_store_writer, open_store
from coin_retrieval.stores.base import StoreWriter, VectorStore
from coin_retrieval.types import Embeddings, ImageIds, Location, RowMask

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
    def writer(self, tmp_path: Path) -> Iterator[StoreWriter]:
        """Empty, of :data:`DIM`, with ``tmp_path`` to itself."""
        with closing(make_store_writer(self.settings, tmp_path, dim=DIM)) as writer:
            yield writer

    @pytest.fixture
    def reopen(self, tmp_path: Path) -> Callable[..., VectorStore]:
        """Opens what was sealed; told by ``alive`` which rows are there."""
        return partial(open_store, self.settings, tmp_path, dim=DIM)

    @pytest.fixture
    def ids(self) -> ImageIds:
        return far_apart_ids(ROWS)

    @pytest.fixture
    def rows(self) -> Embeddings:
        return random_units(ROWS, seed=1)

    @pytest.fixture
    def location(self, writer: StoreWriter, ids: ImageIds, rows: Embeddings) -> Location:
        """Where all rows are, written in two goes."""
        writer.add(ids[:100], rows[:100])
        writer.add(ids[100:], rows[100:])
        return writer.seal()

    @pytest.fixture
    def full(self, location: Location, reopen: Callable[..., VectorStore]) -> Iterator[VectorStore]:
        with reopen(location) as store:
            yield store

    @pytest.fixture
    def alive(self) -> RowMask:
        """All but every third row."""
        return np.array([row % 3 != 0 for row in range(ROWS)])

    @pytest.fixture
    def reduced(
        self, location: Location, reopen: Callable[..., VectorStore], alive: RowMask
    ) -> Iterator[VectorStore]:
        with reopen(location, alive=alive) as store:
            yield store

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

    def test_searched_more_widely_it_finds_no_less(self, full: VectorStore) -> None:
        queries = random_units(30, seed=14)
        before = full.recall(queries)
        full.widen(4)
        assert full.recall(queries) >= before

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

    def test_a_filter_may_be_a_boolean_for_every_row(
        self, full: VectorStore, ids: ImageIds, rows: Embeddings
    ) -> None:
        queries = random_units(5, seed=11)
        mask = np.random.default_rng(12).random(ROWS) < 0.4
        assert full.row_count == ROWS
        assert full.search(queries, 9, allowed=mask) == full.search(queries, 9, allowed=ids[mask])
        assert full.search(queries, 9, allowed=np.zeros(ROWS, np.bool_)) == [[]] * 5

    def test_a_boolean_of_another_length_is_refused(
        self, full: VectorStore, rows: Embeddings
    ) -> None:
        with pytest.raises(InputError, match="does not fit"):
            full.search(rows[:1], 1, allowed=np.ones(ROWS + 1, np.bool_))

    @pytest.mark.parametrize("share", [0.005, 0.05, 0.3, 0.8])
    def test_a_filter_never_costs_hits(
        self, full: VectorStore, rows: Embeddings, share: float
    ) -> None:
        mask = np.random.default_rng(13).random(ROWS) < share
        wanted = min(60, int(mask.sum()))
        assert [len(hits) for hits in full.search(rows[:5], 60, allowed=mask)] == [wanted] * 5

    def test_an_empty_store_finds_nothing(
        self, writer: StoreWriter, reopen: Callable[..., VectorStore]
    ) -> None:
        with reopen(writer.seal()) as store:
            assert len(store) == 0
            assert store.search(random_units(2, seed=1), 3) == [[], []]

    def test_a_row_that_is_not_there_any_more_is_never_found(
        self, reduced: VectorStore, ids: ImageIds, rows: Embeddings, alive: RowMask
    ) -> None:
        assert (len(reduced), reduced.row_count) == (int(np.count_nonzero(alive)), ROWS)
        assert reduced.ids().tolist() == ids[alive].tolist()
        gone = set(ids[~alive].tolist())
        for allowed in (None, ids, np.ones(ROWS, np.bool_)):
            found = reduced.search(rows, 20, allowed=allowed)
            assert all(len(hits) == 20 for hits in found)
            assert not {hit.image_id for hits in found for hit in hits} & gone
        assert reduced.search(rows[:1], 5, allowed=ids[~alive]) == [[]]
        assert {h.image_id for h in reduced.nearest(rows[:1], ROWS)[0]} == set(ids[alive].tolist())

    def test_rows_that_stay_keep_their_ids_and_vectors(
        self, reduced: VectorStore, ids: ImageIds, rows: Embeddings, alive: RowMask
    ) -> None:
        np.testing.assert_allclose(reduced.vectors(ids[alive]), rows[alive], atol=1e-6)
        assert reduced.search(rows[250:251], 1)[0][0].image_id == ids[250]
        with pytest.raises(NotFoundError):
            reduced.vectors(ids[:1])

    def test_an_id_has_the_row_that_it_was_written_in(
        self, full: VectorStore, reduced: VectorStore, ids: ImageIds
    ) -> None:
        asked = np.array([ids[7], 2**53 + 1, ids[0]])
        assert full.rows(asked).tolist() == [7, -1, 0]
        assert reduced.rows(asked).tolist() == [7, -1, -1]

    def test_rows_come_back_in_the_order_asked(
        self, full: VectorStore, ids: ImageIds, rows: Embeddings
    ) -> None:
        order = [200, 3, 77]
        np.testing.assert_allclose(full.vectors(ids[order]), rows[order], atol=1e-6)

    def test_a_row_that_is_not_there_is_an_error(self, full: VectorStore, ids: ImageIds) -> None:
        with pytest.raises(NotFoundError):
            full.vectors(np.array([ids[0], 2**53 + 3]))

    def test_its_ids_come_in_the_order_in_which_they_were_added(
        self, full: VectorStore, ids: ImageIds
    ) -> None:
        assert full.ids().tolist() == ids.tolist()

    def test_a_sealed_store_lies_where_it_says(self, location: Location, tmp_path: Path) -> None:
        files = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file()}
        assert set(location.files) == files
        assert location.files or location.collection
        assert set(location.parsed) <= set(location.files)

    def test_threads_that_search_with_different_filters_do_not_disturb_each_other(
        self, full: VectorStore, ids: ImageIds, rows: Embeddings
    ) -> None:
        def disturbed(turn: int) -> bool:
            mask = np.arange(ROWS) % 5 == turn % 5
            allowed = set(ids[mask].tolist())
            found = full.search(rows[:5], 20, allowed=mask)
            return any(len(hits) != 20 for hits in found) or any(
                hit.image_id not in allowed for hits in found for hit in hits
            )

        with ThreadPoolExecutor(8) as pool:
            assert not any(pool.map(disturbed, range(100)))

    def test_embeddings_of_another_width_are_refused(
        self, writer: StoreWriter, full: VectorStore
    ) -> None:
        with pytest.raises(InputError, match="do not fit"):
            writer.add(np.array([1]), random_units(1, seed=1, dim=DIM + 1))
        with pytest.raises(InputError, match="do not fit"):
            full.search(random_units(1, seed=1, dim=DIM + 1), 1)

    def test_an_id_given_twice_is_refused(self, writer: StoreWriter) -> None:
        with pytest.raises(InputError, match="distinct"):
            writer.add(np.array([1, 1]), random_units(2, seed=1))
        writer.add(np.array([1]), random_units(1, seed=1))
        writer.add(np.array([1]), random_units(1, seed=2))
        with pytest.raises(InputError, match="twice"):
            writer.seal()

    def test_k_below_one_is_refused(self, full: VectorStore, rows: Embeddings) -> None:
        with pytest.raises(InputError, match="k out of range"):
            full.search(rows[:1], 0)
