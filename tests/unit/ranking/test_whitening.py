from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny_archives import store_of

from coin_retrieval.encoding.base import unit_rows
from coin_retrieval.ranking import whitening
from coin_retrieval.ranking.whitening import whitened, whitening_of, whitening_of_store
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.stores.joined import JoinedStore
from coin_retrieval.types import Embeddings, ImageIds


@pytest.fixture
def vectors() -> Embeddings:
    """Rows that differ mostly along the first axis, around a common direction."""
    random = np.random.default_rng(1)
    spread = np.array([3.0, 0.3, 0.3, 0.3, 0.3, 0.3])
    return unit_rows(random.normal(size=(400, 6)) * spread + 2 * np.eye(6)[5])


def test_scores_are_those_of_a_whitened_archive_up_to_a_constant(vectors: Embeddings) -> None:
    space = whitening_of(vectors, strength=0.9)
    root = np.linalg.cholesky(space.precision.astype(np.float64))
    query = vectors[7:8]
    exact = ((query - space.mean) @ root) @ ((vectors - space.mean) @ root).T
    moved = whitened(query, space) @ vectors.T
    assert np.corrcoef(exact[0], moved[0])[0, 1] == pytest.approx(1, abs=1e-5)


def test_the_metric_is_the_inverse_of_covariance_and_sphere_by_hand() -> None:
    corners = np.array([[4.5**0.5, 0], [-(4.5**0.5), 0], [0, 1.5**0.5], [0, -(1.5**0.5)]])
    space = whitening_of(corners.astype(np.float32), strength=0.5)  # covariance 3 and 1, mean 2
    assert space.precision.dtype == np.float32
    np.testing.assert_allclose(space.precision, np.diag([1 / 1.25, 1 / 0.75]), atol=1e-6)


def test_the_direction_in_which_everything_differs_says_less(vectors: Embeddings) -> None:
    space = whitening_of(vectors, strength=0.9)
    assert space.precision[0, 0] < 0.5 * space.precision[1, 1]


def test_more_strength_goes_farther_from_the_space_as_it_is(vectors: Embeddings) -> None:
    query = vectors[:1]
    plain = unit_rows(query - vectors.mean(axis=0))
    likeness = [
        (whitened(query, whitening_of(vectors, strength=s)) @ plain.T).item()
        for s in (0.01, 0.5, 0.95)
    ]
    assert likeness[0] > 0.999
    assert likeness == sorted(likeness, reverse=True)


def test_fewer_vectors_than_dimensions_are_enough(vectors: Embeddings) -> None:
    space = whitening_of(vectors[:3], strength=0.9)
    assert np.isfinite(space.precision).all()


def test_without_a_space_nothing_moves(vectors: Embeddings) -> None:
    assert whitened(vectors, None) is vectors


def test_a_store_gives_the_same_metric_at_every_opening(
    vectors: Embeddings, tmp_path: Path
) -> None:
    store = store_of(tmp_path, np.arange(400), vectors)
    once, again = (whitening_of_store(store, strength=0.5) for _ in range(2))
    assert once is not None
    assert again is not None
    np.testing.assert_array_equal(once.precision, again.precision)
    assert whitening_of_store(store, strength=0) is None


def test_one_vector_has_no_metric(tmp_path: Path) -> None:
    store = store_of(tmp_path, np.arange(1), unit_rows(np.ones((1, 2), np.float32)))
    assert whitening_of_store(store, strength=0.5) is None


def test_two_vectors_have_one(tmp_path: Path) -> None:
    store = store_of(tmp_path, np.arange(2), unit_rows(np.eye(2)).astype(np.float32))
    assert whitening_of_store(store, strength=0.5) is not None


class AskedStore(JoinedStore):
    """Remembers for which ids vectors were asked."""

    def __init__(self, store: VectorStore) -> None:
        super().__init__([store], dim=store.dim)
        self.asked: list[ImageIds] = []

    def vectors(self, ids: ImageIds) -> Embeddings:
        self.asked.append(ids)
        return super().vectors(ids)


def test_of_a_large_store_one_sample_is_taken_always_the_same(
    vectors: Embeddings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(whitening, "SAMPLE", 150)
    store = AskedStore(store_of(tmp_path, np.arange(1000, 1400), vectors))
    for _ in range(2):
        assert whitening_of_store(store, strength=0.5) is not None
    once, again = store.asked
    np.testing.assert_array_equal(once, again)
    assert len(set(once.tolist())) == 150
    assert once[0] >= 1000
    assert not np.array_equal(once, np.arange(1000, 1150))
