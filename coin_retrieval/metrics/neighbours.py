"""What nearest neighbours say of two feature clouds: are they alike, do they cover each other?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.types import Features

PRECISION_NEIGHBOURS = 3
DENSITY_NEIGHBOURS = 5
_ROWS = 1024


@dataclass(frozen=True, slots=True)
class Overlap:
    """Precision and recall, density and coverage, each better the higher; density may pass 1."""

    precision: float
    recall: float
    density: float
    coverage: float


def overlap(real: Features, generated: Features) -> Overlap:
    """How far each cloud lies where the other does.

    Precision: the share of generated features inside some real feature's ball, whose radius is the
    distance to its 3rd real neighbour; recall: the same with the roles swapped (Kynkäänniemi et al.
    2019, arXiv 1904.06991). Density: in how many real balls (of 5 neighbours) a generated feature
    lies, over 5; coverage: the share of real balls that hold a generated feature (Naeem et al.
    2020, arXiv 2002.09797). Two samples of one distribution have density 1 and coverage 0.97.

    Args:
        real, generated: raw features, float32 [n dim], n above 5.
    """
    wide = _radii(real, DENSITY_NEIGHBOURS)
    inside = np.zeros(len(generated), np.int64)
    covered = np.zeros(len(real), bool)
    for start, apart in _distances(real, generated):
        held = apart <= wide[start : start + len(apart), None]
        inside += held.sum(axis=0)
        covered[start : start + len(apart)] = held.any(axis=1)
    return Overlap(
        precision=_share_inside(generated, real),
        recall=_share_inside(real, generated),
        density=float(inside.mean() / DENSITY_NEIGHBOURS),
        coverage=float(covered.mean()),
    )


def nearest(queries: Features, points: Features) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Distance to, and index of, each query's nearest point: float64 [queries], int64 [queries]."""
    index = np.concatenate([apart.argmin(axis=1) for _, apart in _distances(queries, points)])
    # again by differences: the blocks' expanded squares leave no exact 0 between equal rows
    exact = np.asarray(queries, np.float64) - np.asarray(points, np.float64)[index]
    return np.linalg.norm(exact, axis=1), index


def _share_inside(features: Features, others: Features) -> float:
    """The share of features inside a ball around some of the others."""
    radii = _radii(others, PRECISION_NEIGHBOURS)
    return float(
        np.mean(np.concatenate([(d <= radii).any(axis=1) for _, d in _distances(features, others)]))
    )


def _radii(points: Features, k: int) -> NDArray[np.float64]:
    """Distance of each point to its ``k``-th neighbour, itself not counted, float64 [n]."""
    return np.concatenate(
        [np.partition(apart, k, axis=1)[:, k] for _, apart in _distances(points, points)]
    )


def _distances(first: Features, second: Features) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Blocks of Euclidean distances [rows second] and the row each block starts at."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    squares = np.sum(b**2, axis=1)
    for start in range(0, len(a), _ROWS):
        block = a[start : start + _ROWS]
        apart = np.sum(block**2, axis=1)[:, None] + squares - 2 * block @ b.T
        yield start, np.sqrt(np.maximum(apart, 0))
