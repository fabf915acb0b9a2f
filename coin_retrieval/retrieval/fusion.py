"""From the embeddings of a report and its prototypes to what the store is asked.

Small pure functions. Everything that changes a query vector, or merges rankings, lives here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.config import FusionSettings, ModalityMeans
from coin_retrieval.encoding.base import unit_rows
from coin_retrieval.errors import SettingsError
from coin_retrieval.types import Embeddings, Hit, ImageId

RRF_CONSTANT = 60
"""Cormack, Clarke & Büttcher, SIGIR 2009: damps the lead of the very first ranks."""


@dataclass(frozen=True, slots=True)
class FusedQuery:
    """A query as the store is asked it.

    ``direction`` float32 [1 dim] is the one vector it amounts to. ``rows`` float32 [m dim] are the
    embeddings it was made of and ``weights`` float64 [m] their shares, which sum to 1.
    """

    direction: Embeddings
    rows: Embeddings
    weights: NDArray[np.float64]


def fuse(
    settings: FusionSettings,
    *,
    text: Embeddings | None = None,
    prototypes: Embeddings | None = None,
) -> FusedQuery:
    """One query of a text float32 [1 dim], of prototypes float32 [n dim], or of both.

    Raises:
        SettingsError: the settings' means have another dimension.
        ModelError: the embeddings cancel each other out.
    """
    if text is not None:
        text = centred(text, "text", settings.means if settings.centring else None)
    if prototypes is not None and len(prototypes):
        prototypes = centred(prototypes, "generated", settings.means if settings.centring else None)
        picture = mean_direction(prototypes)
        if text is None:
            return FusedQuery(picture, prototypes, _even(len(prototypes)))
        weights = np.concatenate(
            [[settings.text_weight], (1 - settings.text_weight) * _even(len(prototypes))]
        )
        direction = blend(text, picture, text_weight=settings.text_weight)
        return FusedQuery(direction, np.concatenate([text, prototypes]), weights)
    if text is None:
        raise ValueError("a query needs a text or prototypes")
    return FusedQuery(text, text, _even(1))


def mean_direction(embeddings: Embeddings) -> Embeddings:
    """The mean of unit rows [n dim], scaled back to norm 1: float32 [1 dim]."""
    return unit_rows(embeddings.mean(axis=0, keepdims=True))


def blend(text: Embeddings, picture: Embeddings, *, text_weight: float) -> Embeddings:
    """``text_weight`` · text + (1 − ``text_weight``) · picture, rows scaled back to norm 1."""
    return unit_rows(text_weight * text + (1 - text_weight) * picture)


def centred(embeddings: Embeddings, modality: str, means: ModalityMeans | None) -> Embeddings:
    """Move rows from where their modality lies to where real images lie; unmoved without means.

    Texts, drawn pictures and real pictures each fill a cone of their own in a joint space (the
    modality gap, arXiv 2203.02053). Subtracting a modality's mean and adding the real images'
    closes it without touching the archive (arXiv 2507.19054).

    Args:
        modality: ``text`` or ``generated``.

    Raises:
        SettingsError: the means have another dimension than the rows.
    """
    if means is None:
        return embeddings
    own = np.asarray(means.text if modality == "text" else means.generated, np.float32)
    real = np.asarray(means.real, np.float32)
    if own.shape != embeddings.shape[1:]:
        raise SettingsError(
            "the fusion means belong to another encoder",
            value=f"{len(own)} entries",
            expected=f"{embeddings.shape[1]} entries",
            remedy="leave the means out, or estimate them with this archive's encoder",
        )
    return unit_rows(embeddings - own + real)


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[Hit]], weights: Sequence[float] | NDArray[np.float64]
) -> list[ImageId]:
    """Merge rankings by summing weight / (60 + rank): ids, best first; ties go to the lower id.

    An id that a ranking lacks gets nothing from it. Source: Cormack et al., SIGIR 2009.
    """
    scores: dict[ImageId, float] = {}
    for ranking, weight in zip(rankings, weights, strict=True):
        for rank, hit in enumerate(ranking, start=1):
            scores[hit.image_id] = scores.get(hit.image_id, 0.0) + weight / (RRF_CONSTANT + rank)
    return sorted(scores, key=lambda image_id: (-scores[image_id], image_id))


def _even(count: int) -> NDArray[np.float64]:
    return np.full(count, 1 / count)
