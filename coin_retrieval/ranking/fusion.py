"""From the embeddings of a report and its prototypes to what the store is asked.

Small pure functions. Everything that changes a query vector, or merges rankings, lives here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.config import FusionMethod, FusionSettings, ModalityMeans
from coin_retrieval.encoding.base import unit_rows
from coin_retrieval.errors import InputError, SettingsError
from coin_retrieval.ranking.whitening import Whitening, whitened
from coin_retrieval.types import Embeddings, Hit, ImageId

RRF_CONSTANT = 60
"""Cormack, Clarke & Büttcher, SIGIR 2009: damps the lead of the very first ranks."""

VARIED_SHARE = 0.2
"""What all variations of a picture weigh beside it: the drawn must not outweigh the seen."""

_VANISHED = 1e-6


@dataclass(frozen=True, slots=True)
class FusedQuery:
    """A query as the store is asked it.

    ``direction`` float32 [1 dim] is the one vector it amounts to. ``rows`` float32 [m dim] are the
    vectors it was made of and ``weights`` float64 [m] their shares, which sum to 1. ``method`` is
    how they are searched, as in :class:`~coin_retrieval.config.FusionSettings`.
    """

    direction: Embeddings
    rows: Embeddings
    weights: NDArray[np.float64]
    method: FusionMethod = "mean"


@dataclass(frozen=True, slots=True)
class Feedback:
    """What a reader marked: ``liked`` and ``disliked`` float32 [cases dim], ``unlike`` [1 dim].

    ``unlike`` is a direction as :func:`fuse` gives it, corrected already.
    """

    liked: Embeddings | None = None
    disliked: Embeddings | None = None
    unlike: Embeddings | None = None


def fuse(
    settings: FusionSettings,
    *,
    text: Embeddings | None = None,
    prototypes: Embeddings | None = None,
    image: Embeddings | None = None,
    feedback: Feedback | None = None,
    space: Whitening | None = None,
) -> FusedQuery:
    """One query of a text [1 dim], of prototypes [n dim], of images [n dim], or of several.

    Texts and prototypes are corrected as the settings say; an image, variations of it behind it,
    and marked cases are real pictures already, or lie where those do. Texts and prototypes may have
    one leading axis more, of queries that are fused beside each other; so has what comes of them.

    Raises:
        SettingsError: the settings' means have another dimension.
        InputError: what is looked for and what is not cancel each other out.
        ModelError: the embeddings cancel each other out.
    """
    if text is not None:
        text = corrected(text, "text", settings)
    if prototypes is not None:
        prototypes = corrected(prototypes, "generated", settings) if prototypes.shape[-2] else None
    query = _of_report(settings, text, prototypes)
    if image is not None:
        alone = _of_images(image, settings)
        query = _beside(query, alone, settings) if query else alone
    if query is None:
        raise ValueError("a query needs a text, prototypes or an image")
    if feedback is not None:
        query = _with_feedback(query, feedback, settings)
    if space is None:
        return replace(query, method=settings.method)
    return replace(
        query,
        method=settings.method,
        direction=whitened(query.direction, space),
        rows=whitened(query.rows, space),
    )


def mean_direction(embeddings: Embeddings) -> Embeddings:
    """The mean of unit rows [n dim], scaled back to norm 1: float32 [1 dim]."""
    return unit_rows(embeddings.mean(axis=-2, keepdims=True))


def blend(text: Embeddings, picture: Embeddings, *, text_weight: float) -> Embeddings:
    """``text_weight`` · text + (1 − ``text_weight``) · picture, rows scaled back to norm 1."""
    return unit_rows(text_weight * text + (1 - text_weight) * picture)


def corrected(embeddings: Embeddings, modality: str, settings: FusionSettings) -> Embeddings:
    """Rows of ``modality`` (``text`` or ``generated``) after the corrections that are switched on.

    Centring moves drawn pictures by what a shift moves them too, so that with it the shift has
    nothing left to do.

    Raises:
        SettingsError: the means have another dimension than the rows.
    """
    if settings.centring:
        return centred(embeddings, modality, settings.means)
    if settings.shift and modality == "generated":
        return centred(embeddings, modality, settings.means)
    return embeddings


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
    if own.shape != embeddings.shape[-1:]:
        raise SettingsError(
            "the fusion means belong to another encoder",
            value=f"{len(own)} entries",
            expected=f"{embeddings.shape[-1]} entries",
            remedy="leave the means out, or estimate them with this archive's encoder",
        )
    return unit_rows(embeddings - own + real)


def rocchio(
    query: Embeddings, feedback: Feedback, *, liked_weight: float, disliked_weight: float
) -> Embeddings:
    """Rows moved towards the mean of the liked cases and away from that of the disliked, norm 1.

    q + β · mean(liked) − γ · mean(disliked): Rocchio 1971, in Salton (ed.), The SMART Retrieval
    System; β = 0.75 and γ = 0.15 are what Manning et al. 2008, 9.1, call reasonable.

    Raises:
        InputError: nothing is left of the query.
    """
    moved = query
    if feedback.liked is not None:
        moved = moved + liked_weight * feedback.liked.mean(axis=0)
    if feedback.disliked is not None:
        moved = moved - disliked_weight * feedback.disliked.mean(axis=0)
    return _unit_or_refused(moved)


def excluding(query: Embeddings, unlike: Embeddings | None, *, weight: float) -> Embeddings:
    """Rows [n dim] less ``weight`` · ``unlike`` [1 dim], scaled back to norm 1.

    The similarity of each picture falls by as much as it resembles what is not looked for.

    Raises:
        InputError: nothing is left of the query.
    """
    return query if unlike is None else _unit_or_refused(query - weight * unlike)


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


def maximum_fusion(rankings: Sequence[Sequence[Hit]]) -> list[Hit]:
    """Merge rankings by each id's highest similarity, best first; ties go to the lower id."""
    best: dict[ImageId, float] = {}
    for ranking in rankings:
        for hit in ranking:
            best[hit.image_id] = max(hit.similarity, best.get(hit.image_id, -1.0))
    order = sorted(best, key=lambda image_id: (-best[image_id], image_id))
    return [Hit(image_id, best[image_id]) for image_id in order]


def similarities(query: FusedQuery, vectors: Embeddings) -> NDArray[np.float32]:
    """How near each of ``vectors`` [n dim] is to the query, float32 [n] in [-1, 1].

    Method ``max``: to the row that it is nearest to; the others: to the one direction.
    """
    asked = query.rows if query.method == "max" else query.direction
    nearest: NDArray[np.float32] = (vectors @ asked.T).max(axis=1)
    return np.clip(nearest, -1.0, 1.0)


def _of_report(
    settings: FusionSettings, text: Embeddings | None, prototypes: Embeddings | None
) -> FusedQuery | None:
    if text is None or prototypes is None:
        rows = prototypes if text is None else text
        return (
            FusedQuery(mean_direction(rows), rows, _even(rows.shape[-2]))
            if rows is not None
            else None
        )
    weight = settings.text_weight
    direction = blend(text, mean_direction(prototypes), text_weight=weight)
    if settings.method == "max":
        rows = blend(text, prototypes, text_weight=weight)
        return FusedQuery(direction, rows, _even(rows.shape[-2]))
    weights = np.concatenate([[weight], (1 - weight) * _even(prototypes.shape[-2])])
    return FusedQuery(direction, np.concatenate([text, prototypes], axis=-2), weights)


def _of_images(images: Embeddings, settings: FusionSettings) -> FusedQuery:
    """A picture's query, and with it that of its variations."""
    if len(images) == 1:
        return FusedQuery(images, images, _even(1))
    direction = blend(images[:1], mean_direction(images[1:]), text_weight=1 - VARIED_SHARE)
    if settings.method == "max":
        return FusedQuery(direction, direction, _even(1))
    weights = np.append(1 - VARIED_SHARE, VARIED_SHARE * _even(len(images) - 1))
    return FusedQuery(direction, images, weights)


def _beside(query: FusedQuery, image: FusedQuery, settings: FusionSettings) -> FusedQuery:
    """The report's query and a real picture's, the picture with its own weight."""
    weight = settings.image_weight
    direction = blend(query.direction, image.direction, text_weight=1 - weight)
    if settings.method == "max":
        rows = blend(query.rows, image.direction, text_weight=1 - weight)
        return FusedQuery(direction, rows, query.weights)
    weights = np.concatenate([(1 - weight) * query.weights, weight * image.weights])
    return FusedQuery(direction, np.concatenate([query.rows, image.rows]), weights)


def _with_feedback(query: FusedQuery, feedback: Feedback, settings: FusionSettings) -> FusedQuery:
    def moved(rows: Embeddings) -> Embeddings:
        towards = rocchio(
            rows,
            feedback,
            liked_weight=settings.liked_weight,
            disliked_weight=settings.disliked_weight,
        )
        return excluding(towards, feedback.unlike, weight=settings.unlike_weight)

    return replace(query, direction=moved(query.direction), rows=moved(query.rows))


def _unit_or_refused(rows: NDArray[np.floating]) -> Embeddings:
    if np.any(np.linalg.norm(rows, axis=1) < _VANISHED):
        raise InputError(
            "what is looked for and what is not are the same",
            value="nothing is left of the query",
            expected="marks and words that differ from the query",
            remedy="take back a mark, or say in other words what is not looked for",
        )
    return unit_rows(rows)


def _even(count: int) -> NDArray[np.float64]:
    return np.full(count, 1 / count)
