"""Distances on clouds whose true values are known."""

from __future__ import annotations

import numpy as np
import pytest

from coin_retrieval.encoding.base import unit_rows
from coin_retrieval.metrics.frechet import frechet_distance
from coin_retrieval.metrics.kernel_distance import cmmd, kernel_distance
from coin_retrieval.metrics.neighbours import nearest, overlap


def gaussian(n: int, dim: int, *, seed: int, shift: float = 0, scale: float = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.normal(size=(n, dim)) * scale + shift).astype(np.float32)


def test_equal_clouds_have_no_distance() -> None:
    cloud = gaussian(50, 8, seed=0)
    assert frechet_distance(cloud, cloud) == pytest.approx(0, abs=1e-6)
    assert cmmd(unit_rows(cloud), unit_rows(cloud)) == pytest.approx(0, abs=1e-9)


def test_the_frechet_distance_of_shifted_clouds_is_the_square_of_the_shift() -> None:
    cloud = gaussian(300, 6, seed=1)
    assert frechet_distance(cloud, cloud + np.float32(2)) == pytest.approx(6 * 4, rel=1e-5)


def test_the_frechet_distance_of_scaled_clouds_is_that_of_their_deviations() -> None:
    # N(0, 1) and N(0, 9) in 4 dimensions: 4 (1 + 9 − 2·3)
    found = frechet_distance(gaussian(40_000, 4, seed=2), gaussian(40_000, 4, seed=3, scale=3))
    assert found == pytest.approx(16, rel=0.05)


def test_the_frechet_distance_works_with_fewer_pictures_than_dimensions() -> None:
    cloud = gaussian(10, 64, seed=4)
    assert frechet_distance(cloud, cloud) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(cloud, cloud + np.float32(1)) == pytest.approx(64, rel=1e-5)


def test_the_frechet_distance_has_no_side() -> None:
    first, second = gaussian(30, 5, seed=5), gaussian(40, 5, seed=6, shift=1)
    assert frechet_distance(first, second) == pytest.approx(frechet_distance(second, first))


def test_a_fewer_pictures_frechet_distance_is_larger_but_the_kernel_distance_is_not() -> None:
    few = [gaussian(40, 16, seed=seed) for seed in (7, 8)]
    many = [gaussian(4000, 16, seed=seed) for seed in (9, 10)]
    assert frechet_distance(*few) > 10 * frechet_distance(*many)
    mean, deviation = kernel_distance(*few)
    assert abs(mean) < 2 * deviation


def test_the_kernel_distance_of_one_dimension_is_known_in_closed_form() -> None:
    # E (xy + 1)³ over independent x, y: 1 + 3 E[x]E[y] + 3 E[x²]E[y²] + E[x³]E[y³]
    def expected(a: tuple[float, float, float], b: tuple[float, float, float]) -> float:
        return 1 + 3 * a[0] * b[0] + 3 * a[1] * b[1] + a[2] * b[2]

    first, second = (0.0, 1.0, 0.0), (1.0, 2.0, 4.0)  # moments of N(0, 1) and N(1, 1)
    truth = expected(first, first) + expected(second, second) - 2 * expected(first, second)
    mean, _ = kernel_distance(
        gaussian(4000, 1, seed=11), gaussian(4000, 1, seed=12, shift=1), subsets=20
    )
    assert mean == pytest.approx(truth, rel=0.1)


def test_the_kernel_distance_is_the_same_for_a_seed() -> None:
    first, second = gaussian(60, 5, seed=13), gaussian(60, 5, seed=14)
    assert kernel_distance(first, second, seed=1) == kernel_distance(first, second, seed=1)
    assert kernel_distance(first, second, seed=1) != kernel_distance(first, second, seed=2)


def test_cmmd_of_two_points_is_known_in_closed_form() -> None:
    first, second = np.eye(2, dtype=np.float32)[:1], np.eye(2, dtype=np.float32)[1:]
    # |x − y|² = 2: 1000 (1 + 1 − 2 exp(−2 / 200))
    assert cmmd(first, second) == pytest.approx(2000 * (1 - np.exp(-0.01)))


def test_clouds_of_one_distribution_support_each_other_as_the_paper_says() -> None:
    found = overlap(gaussian(2000, 16, seed=15), gaussian(2000, 16, seed=16))
    assert found.density == pytest.approx(1, abs=0.05)
    assert found.coverage == pytest.approx(1 - 2**-5, abs=0.02)


def test_a_cloud_far_away_is_supported_nowhere() -> None:
    found = overlap(gaussian(50, 4, seed=17), gaussian(50, 4, seed=18, shift=100))
    assert (found.precision, found.recall, found.density, found.coverage) == (0, 0, 0, 0)


def test_a_collapsed_generator_is_precise_but_covers_little() -> None:
    real = gaussian(500, 4, seed=19)
    found = overlap(real, real[:1] + gaussian(500, 4, seed=20, scale=1e-4))
    assert found.precision == 1.0
    assert found.recall < 0.05
    assert found.coverage < 0.3


def test_a_copy_has_distance_zero() -> None:
    points = gaussian(2100, 32, seed=21, shift=50)
    distances, index = nearest(points[[3, 2050]], points)
    assert distances.tolist() == [0.0, 0.0]
    assert index.tolist() == [3, 2050]
