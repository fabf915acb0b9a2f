"""The archive's own covariance as a metric. Pure functions, and one sample from a store.

Directions in which all of an archive's pictures differ anyway (stain, focus, brightness) say
little; whitening weighs a difference by how rare it is. Moving the query is enough: up to a
constant, (q − m)ᵀ P (x − m) is the inner product of P (q − m) with the stored x, so that no
vector of the archive changes and any index serves (Hariharan, Malik, Ramanan, ECCV 2012).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.encoding.base import unit_rows
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.types import Embeddings

SAMPLE = 5000
"""Vectors that the covariance is estimated from: seeded, so that every opening gives the same."""


@dataclass(frozen=True, slots=True)
class Whitening:
    """``mean`` float32 [dim], and ``precision`` float32 [dim dim], the inverse covariance."""

    mean: NDArray[np.float32]
    precision: NDArray[np.float32]


def whitening_of(vectors: Embeddings, *, strength: float) -> Whitening:
    """Mean and precision of vectors float32 [n dim], n ≥ 2.

    Args:
        strength: in [0, 1): the covariance's share; the rest is a sphere of the same variance
            (shrinkage: without it the rarest directions, which are noise, would decide).
    """
    mean = vectors.mean(axis=0)
    # before the division: fewer vectors than dimensions leave directions without any variance
    covariance = np.cov(vectors.astype(np.float64), rowvar=False)
    dim = len(covariance)
    variance = max(float(np.trace(covariance)) / dim, float(np.finfo(np.float32).tiny))
    shrunk = strength * covariance / variance + (1 - strength) * np.eye(dim)
    return Whitening(mean, np.linalg.inv(shrunk).astype(np.float32))


def whitened(rows: Embeddings, space: Whitening | None) -> Embeddings:
    """Rows [n dim] moved so that the store's inner products are whitened ones, of norm 1.

    Raises:
        ModelError: a row is the archive's mean.
    """
    return rows if space is None else unit_rows((rows - space.mean) @ space.precision)


def whitening_of_store(store: VectorStore, *, strength: float) -> Whitening | None:
    """The metric of an archive's store; ``None`` for strength 0 or fewer than two vectors.

    Estimated anew at every opening rather than kept: 5,000 vectors of 512 take a tenth of a
    second, and what is computed from the version's sealed vectors cannot disagree with them.
    """
    ids = np.sort(store.ids())
    if strength == 0 or len(ids) < 2:
        return None
    if len(ids) > SAMPLE:
        ids = np.sort(np.random.default_rng(0).choice(ids, SAMPLE, replace=False))
    return whitening_of(store.vectors(ids), strength=strength)
