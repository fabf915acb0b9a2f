"""Fréchet distance of two feature clouds, each taken for a Gaussian."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.types import Features


def frechet_distance(first: Features, second: Features) -> float:
    """|μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½) (Heusel et al. 2017, arXiv 1706.08500, eq. 6).

    Biased upwards by small sets: compare only figures of equally many pictures. "FID" is this in
    Inception-v3's pool features and in no other space.

    Args:
        first, second: raw features, float32 [n dim], n ≥ 2.
    """
    mean_1, root_1 = _mean_and_root(first)
    mean_2, root_2 = _mean_and_root(second)
    # with Σ = RᵀR, the eigenvalues of (Σ₁Σ₂)^½ are the singular values of R₁R₂ᵀ: no matrix square
    # root, which is unstable where there are fewer pictures than dimensions
    overlap = np.linalg.norm(root_1 @ root_2.T, "nuc")
    spread = np.sum(root_1**2) + np.sum(root_2**2)
    return max(0.0, float(np.sum((mean_1 - mean_2) ** 2) + spread - 2 * overlap))


def _mean_and_root(
    features: Features,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean [dim] and R [min(n, dim) dim] with RᵀR the covariance."""
    rows = np.asarray(features, np.float64)
    mean = rows.mean(axis=0)
    root: NDArray[np.float64] = np.asarray(
        np.linalg.qr((rows - mean) / np.sqrt(len(rows) - 1), mode="r")
    )
    return mean, root
