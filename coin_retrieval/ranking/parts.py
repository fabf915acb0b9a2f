"""Why a picture came where it did: its score, taken apart into what the query was made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.config import FusionSettings
from coin_retrieval.encoding.base import unit_rows
from coin_retrieval.ranking.fusion import RRF_CONSTANT, Feedback, FusedQuery, corrected
from coin_retrieval.ranking.whitening import Whitening
from coin_retrieval.types import Embeddings, Hit, ImageId, Part

Ranks = Mapping[ImageId, int]
"""Where a search finds images, from 1; those beyond its depth are left out."""


def ranks_of(hits: Sequence[Hit]) -> Ranks:
    """Ranks of a ranking, from 1."""
    return {hit.image_id: rank for rank, hit in enumerate(hits, start=1)}


@dataclass(frozen=True, slots=True)
class Ingredient:
    """Something that a query is made of: ``row`` float32 [dim] as the encoder gave it.

    ``corrected`` [dim] is what went into the query. Kinds and labels as of
    :class:`~coin_retrieval.types.Part`.
    """

    kind: str
    label: str
    row: NDArray[np.float32]
    corrected: NDArray[np.float32]


def ingredients_of(
    settings: FusionSettings,
    *,
    text: Embeddings | None = None,
    prototypes: Embeddings | None = None,
    seeds: Sequence[int] = (),
    image: Embeddings | None = None,
    variations: Sequence[str] = (),
    feedback: Feedback | None = None,
    liked: Sequence[str] = (),
    disliked: Sequence[str] = (),
) -> list[Ingredient]:
    """The same that :func:`.fuse` was given, in the order of its rows.

    Args:
        seeds: of the prototypes.
        variations: seeds of the images behind the first.
        liked, disliked: the cases of the feedback's rows.
    """
    found: list[Ingredient] = []

    def add(kind: str, labels: Sequence[str], rows: Embeddings | None, into: Embeddings) -> None:
        if rows is not None:
            found.extend(map(Ingredient, [kind] * len(rows), labels, rows, into))

    if text is not None:
        add("text", [""], text, corrected(text, "text", settings))
    if prototypes is not None:
        add("prototype", [str(s) for s in seeds], prototypes,
            corrected(prototypes, "generated", settings))  # fmt: skip
    if image is not None:
        add("image", [""], image[:1], image[:1])
        add("variation", variations, image[1:], image[1:])
    if feedback is not None:
        for kind, labels, rows in (
            ("liked", liked, feedback.liked),
            ("disliked", disliked, feedback.disliked),
            ("unlike", [""], feedback.unlike),
        ):
            if rows is not None:
                add(kind, labels, rows, rows)
    return found


class Explanation:
    """Takes scores of one query apart.

    Every vector that a store is asked with is a sum of the ingredients (and of the archive's mean,
    where the space is whitened) times a number each; solving for the numbers gives each one's
    summand of a picture's score. Of ingredients that coincide the solution of least norm is taken:
    they share evenly.
    """

    def __init__(
        self,
        fused: FusedQuery,
        ingredients: Sequence[Ingredient],
        *,
        space: Whitening | None = None,
    ) -> None:
        self._fused, self._ingredients = fused, list(ingredients)
        self._moved = np.stack([one.corrected for one in ingredients]).astype(np.float64)
        if space is not None:
            mean = space.mean.astype(np.float32)
            self._ingredients.append(Ingredient("archive", "", mean, mean))
            self._moved = np.concatenate([self._moved, mean[None]]) @ space.precision
        asked = fused.rows if fused.method == "max" else fused.direction
        self._numbers, *_ = np.linalg.lstsq(self._moved.T, asked.T.astype(np.float64), rcond=None)

    @property
    def rows(self) -> Embeddings:
        """Each ingredient as a query of its own, float32 [ingredients dim] of L2 norm 1."""
        return unit_rows(self._moved)

    def parts(
        self,
        ids: Sequence[ImageId],
        vectors: Embeddings,
        *,
        rankings: Sequence[Ranks] = (),
        alone: Sequence[Ranks] = (),
    ) -> list[tuple[Part, ...]]:
        """The parts of each picture's score; they sum to it.

        Args:
            vectors: float32 [images dim], the pictures of ``ids``.
            rankings: of the query's rows: with rank fusion, a part's summand is its rank's.
            alone: of each ingredient as a query of its own, in the order of :attr:`rows`.
        """
        raw = unit_rows(np.stack([one.row for one in self._ingredients]))
        cosines, corrected_cosines = vectors @ raw.T, vectors @ self.rows.T
        shares = self._shares(ids, vectors, rankings)
        return [
            tuple(
                Part(
                    one.kind,
                    one.label,
                    cosine=float(cosines[row, column]),
                    corrected=float(corrected_cosines[row, column]),
                    share=float(shares[row, column]),
                    rank=alone[column].get(image_id) if column < len(alone) else None,
                )
                for column, one in enumerate(self._ingredients)
            )
            for row, image_id in enumerate(ids)
        ]

    def _shares(
        self, ids: Sequence[ImageId], vectors: Embeddings, rankings: Sequence[Ranks]
    ) -> NDArray[np.float64]:
        """[images ingredients]."""
        if rankings:
            shares = np.zeros((len(ids), len(self._ingredients)))
            for column, (ranks, weight) in enumerate(
                zip(rankings, self._fused.weights, strict=True)
            ):
                for row, image_id in enumerate(ids):
                    if image_id in ranks:
                        shares[row, column] = weight / (RRF_CONSTANT + ranks[image_id])
            return shares
        near = vectors.astype(np.float64) @ self._moved.T
        # by the maximum, a picture is scored by the row that it is nearest to
        row_of = (
            (vectors @ self._fused.rows.T).argmax(axis=1)
            if self._fused.method == "max"
            else [0] * len(ids)
        )
        return np.asarray(near * self._numbers.T[row_of], np.float64)
