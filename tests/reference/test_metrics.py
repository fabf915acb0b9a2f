"""The project's figures against other people's programs, and against frozen definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, ndcg_score
from sklearn.metrics.pairwise import polynomial_kernel, rbf_kernel
from torch import Tensor
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance

from coin_retrieval.encoding.base import unit_rows
from coin_retrieval.metrics.frechet import frechet_distance
from coin_retrieval.metrics.kernel_distance import cmmd, kernel_distance
from coin_retrieval.metrics.neighbours import nearest, overlap
from coin_retrieval.metrics.ranking import average_precision_at, majority_vote_at, ndcg_at

lists = st.lists(st.booleans(), min_size=2, max_size=40)
labels = st.lists(st.sampled_from("abcd"), min_size=1, max_size=15)


def falling(n: int) -> np.ndarray:
    """Scores of places 1 … n."""
    return np.arange(n, 0, -1, dtype=float)


@given(lists.filter(any))
def test_average_precision_of_a_whole_list_is_scikit_learns(relevant: list[bool]) -> None:
    n = len(relevant)
    ours = average_precision_at(np.array([relevant]), np.array([sum(relevant)]), n)
    assert ours[0] == pytest.approx(average_precision_score(relevant, falling(n)))


@given(lists.filter(any), st.integers(1, 45))
def test_ndcg_is_scikit_learns_at_every_depth(relevant: list[bool], k: int) -> None:
    ours = ndcg_at(np.array([relevant]), np.array([sum(relevant)]), k)
    theirs = ndcg_score([np.array(relevant, float)], [falling(len(relevant))], k=k)
    assert ours[0] == pytest.approx(theirs)


def frozen_average_precision(relevant: list[bool], findable: int, k: int) -> float:
    total, seen = 0.0, 0
    for place, right in enumerate(relevant[:k], start=1):
        if right:
            seen += 1
            total += seen / place
    return total / min(findable, k) if findable else 0.0


@given(lists, st.integers(1, 45), st.integers(0, 30))
def test_average_precision_is_the_frozen_definition_at_every_depth(
    relevant: list[bool], k: int, further: int
) -> None:
    findable = sum(relevant) + further
    ours = average_precision_at(np.array([relevant]), np.array([findable]), k)
    assert ours[0] == pytest.approx(frozen_average_precision(relevant, findable, k))


def frozen_majority_vote(found: list[str], k: int) -> str:
    votes: dict[str, int] = {}
    for label in found[:k]:
        votes[label] = votes.get(label, 0) + 1
    for label in found[:k]:
        if votes[label] == max(votes.values()):
            return label
    return ""


@given(labels, st.sampled_from("abcd"), st.integers(1, 20))
def test_the_vote_is_the_frozen_one(found: list[str], truth: str, k: int) -> None:
    expected = float(frozen_majority_vote(found, k) == truth)
    assert majority_vote_at([found], [truth], k).tolist() == [expected]


class _Given(torch.nn.Module):
    """Hands torchmetrics features in place of pictures."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.num_features = dim

    def forward(self, features: Tensor) -> Tensor:
        return features


def clouds(seed: int, n: int = 60, dim: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Two correlated Gaussian clouds with different means and spreads."""
    random = np.random.default_rng(seed)
    first = random.normal(size=(n, dim)) @ random.normal(size=(dim, dim))
    second = random.normal(size=(n + 7, dim)) @ random.normal(size=(dim, dim)) + 0.5
    return first.astype(np.float32), second.astype(np.float32)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_frechet_distance_is_torchmetrics(seed: int) -> None:
    first, second = clouds(seed)
    metric = FrechetInceptionDistance(feature=_Given(12), normalize=True, input_img_size=(12,))
    metric.set_dtype(torch.float64)
    metric.update(torch.from_numpy(first).double(), real=True)
    metric.update(torch.from_numpy(second).double(), real=False)
    assert frechet_distance(first, second) == pytest.approx(float(metric.compute()), rel=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_kernel_distance_is_torchmetrics(seed: int) -> None:
    # a subset of all features is the same whatever the random order
    first, second = (cloud[:60] for cloud in clouds(seed))
    metric = KernelInceptionDistance(feature=_Given(12), subsets=1, subset_size=60, normalize=True)
    metric.set_dtype(torch.float64)
    metric.update(torch.from_numpy(first).double(), real=True)
    metric.update(torch.from_numpy(second).double(), real=False)
    mean, deviation = kernel_distance(first, second, subsets=2, subset_size=60)
    assert mean == pytest.approx(float(metric.compute()[0]), rel=1e-4)
    assert deviation == pytest.approx(0, abs=1e-6 * abs(mean))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_the_unbiased_kernel_distance_is_scikit_learns_kernel_summed(seed: int) -> None:
    first, second = (cloud[:20].astype(np.float64) for cloud in clouds(seed))
    xx, yy, xy = (
        polynomial_kernel(a, b, degree=3, gamma=1 / 12, coef0=1)
        for a, b in ((first, first), (second, second), (first, second))
    )
    off = ~np.eye(20, dtype=bool)
    expected = xx[off].mean() + yy[off].mean() - 2 * xy.mean()
    mean, _ = kernel_distance(first, second, subsets=1, subset_size=20)
    assert mean == pytest.approx(expected, rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_cmmd_is_the_papers_code_with_scikit_learns_kernel(seed: int) -> None:
    first, second = (unit_rows(cloud) for cloud in clouds(seed))
    gamma = 1 / (2 * 10**2)
    expected = 1000 * (
        rbf_kernel(first, first, gamma).mean()
        + rbf_kernel(second, second, gamma).mean()
        - 2 * rbf_kernel(first, second, gamma).mean()
    )
    assert cmmd(first, second) == pytest.approx(expected, abs=1e-3)


def frozen_support(real: np.ndarray, fake: np.ndarray) -> tuple[float, float, float, float]:
    """Kynkäänniemi 2019, eq. 1 and 2, and Naeem 2020, eq. 6 and 7, pair by pair."""

    def apart(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.sqrt(((a.astype(float) - b.astype(float)) ** 2).sum()))

    def radius(points: np.ndarray, i: int, k: int) -> float:
        return sorted(apart(points[i], points[j]) for j in range(len(points)) if j != i)[k - 1]

    def held(point: np.ndarray, points: np.ndarray, k: int) -> list[bool]:
        return [apart(point, points[i]) <= radius(points, i, k) for i in range(len(points))]

    precision = np.mean([any(held(point, real, 3)) for point in fake])
    recall = np.mean([any(held(point, fake, 3)) for point in real])
    balls = np.array([held(point, real, 5) for point in fake])
    return float(precision), float(recall), float(balls.sum() / 5 / len(fake)), float(
        balls.any(axis=0).mean()
    )  # fmt: skip


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_precision_recall_density_and_coverage_are_the_papers(seed: int) -> None:
    real, fake = clouds(seed, n=14, dim=3)
    found = overlap(real, fake)
    assert (found.precision, found.recall, found.density, found.coverage) == pytest.approx(
        frozen_support(real, fake)
    )


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_the_nearest_neighbour_is_the_one_of_a_full_search(seed: int) -> None:
    queries, points = clouds(seed)
    full = np.linalg.norm(queries[:, None].astype(float) - points[None].astype(float), axis=2)
    distances, index = nearest(queries, points)
    assert index.tolist() == full.argmin(axis=1).tolist()
    assert distances == pytest.approx(full.min(axis=1))
