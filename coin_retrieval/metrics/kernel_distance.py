"""Maximum mean discrepancies of two feature clouds: no Gaussian is assumed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.types import Embeddings, Features

SUBSETS = 100
MOST_A_SUBSET = 1000
_CMMD_SIGMA = 10.0
_CMMD_SCALE = 1000.0
_ROWS = 1024


def kernel_distance(
    first: Features,
    second: Features,
    *,
    subsets: int = SUBSETS,
    subset_size: int | None = None,
    seed: int = 0,
) -> tuple[float, float]:
    """KID: unbiased squared MMD under (x·y / dim + 1)³ (Bińkowski et al. 2018, arXiv 1801.01401).

    Unlike a Fréchet distance it does not grow as sets shrink, and may come out just below 0.

    Args:
        first, second: raw features, float32 [n dim], n ≥ 4.
        subset_size: features of each set a subset; ``None``: 1000, or half of the smaller set, so
            that subsets differ and their spread means something.
        seed: of the subsets.

    Returns:
        Mean and standard deviation over the subsets.
    """
    size = subset_size or min(MOST_A_SUBSET, min(len(first), len(second)) // 2)
    random = np.random.default_rng(seed)
    found = [
        _unbiased(
            np.asarray(first[random.choice(len(first), size, replace=False)], np.float64),
            np.asarray(second[random.choice(len(second), size, replace=False)], np.float64),
        )
        for _ in range(subsets)
    ]
    return float(np.mean(found)), float(np.std(found))


def cmmd(first: Embeddings, second: Embeddings) -> float:
    """CMMD: 1000 × squared MMD under exp(−|x − y|² / 200) (Jayasumana 2024, arXiv 2401.09603).

    Meant for unit embeddings of an image–text encoder (the paper's is CLIP ViT-L/14 at 336 px: name
    the figure by the encoder). As in the paper's code the V-statistic: two samples of one
    distribution come out a little above 0.

    Args:
        first, second: float32 [n dim], rows of L2 norm 1.
    """
    within = _gaussian_mean(first, first) + _gaussian_mean(second, second)
    return _CMMD_SCALE * (within - 2 * _gaussian_mean(first, second))


def _unbiased(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    n = len(x)
    within = sum((np.sum(gram) - np.trace(gram)) / (n * (n - 1)) for gram in map(_cubic, (x, y)))
    return float(within - 2 * np.mean(_cubic(x, y)))


def _cubic(x: NDArray[np.float64], y: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
    other = x if y is None else y
    gram: NDArray[np.float64] = (x @ other.T / x.shape[1] + 1) ** 3
    return gram


def _gaussian_mean(x: Embeddings, y: Embeddings) -> float:
    """Mean of the kernel over all pairs, a block of rows at a time."""
    a, b = np.asarray(x, np.float64), np.asarray(y, np.float64)
    squares = np.sum(b**2, axis=1)
    total = 0.0
    for start in range(0, len(a), _ROWS):
        block = a[start : start + _ROWS]
        apart = np.sum(block**2, axis=1)[:, None] + squares - 2 * block @ b.T
        total += float(np.exp(-apart / (2 * _CMMD_SIGMA**2)).sum())
    return total / (len(a) * len(b))
