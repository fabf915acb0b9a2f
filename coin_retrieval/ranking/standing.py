"""What a similarity means: where it lies among those of the archive's own pictures and words."""

from __future__ import annotations

from collections.abc import Sequence

from coin_retrieval.archive.measured.similarity_scale import SimilarityScale, standing
from coin_retrieval.types import Part

_PICTURES = frozenset({"prototype", "image", "liked"})


def standing_of(parts: Sequence[Part], scale: SimilarityScale | None) -> float | None:
    """The share of the archive's own neighbours, in [0, 1], that are less alike than this match.

    What the query is made of is compared with its own kind, words with words and pictures with
    pictures, and weighs what it brought to the score. ``None`` where the archive has no such scale.
    """
    if scale is None:
        return None
    kinds = {
        scale.texts: [part for part in parts if part.kind == "text"],
        scale.pictures: [part for part in parts if part.kind in _PICTURES],
    }
    told = [
        (
            sum(max(part.share, 0.0) for part in of_kind),
            standing([p.cosine for p in of_kind], quantiles),
        )
        for quantiles, of_kind in kinds.items()
        if quantiles is not None and of_kind
    ]
    weight = sum(share for share, _ in told)
    if not told or not weight:
        return None
    return sum(share * stands for share, stands in told) / weight
