"""What a similarity means in an archive: where it lies among those of its own pictures."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

_STEPS = 20
_PLACES = 6

Quantiles = tuple[float, ...]


class SimilarityScale(BaseModel):
    """Quantiles, 5 % apart, of how similar own pictures and texts are to the nearest cases.

    ``pictures`` are asked with the archive's own pictures, a picture's own case apart; ``texts``
    with its own words, and ``None`` where the encoder reads none. An encoder places words farther
    from pictures than pictures from each other: each has a scale of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pictures: Quantiles = Field(min_length=_STEPS + 1, max_length=_STEPS + 1)
    texts: Quantiles | None = Field(default=None, min_length=_STEPS + 1, max_length=_STEPS + 1)

    @classmethod
    def of(cls, pictures: Sequence[float], texts: Sequence[float] = ()) -> Self | None:
        """The scale of such similarities; ``None`` without any of pictures."""
        if not pictures:
            return None
        return cls(pictures=_quantiles(pictures), texts=_quantiles(texts) if texts else None)


def standing(similarities: Iterable[float], quantiles: Quantiles) -> float:
    """The mean share, in [0, 1], of the scale's similarities that are lower than these."""
    steps = np.linspace(0, 1, len(quantiles))
    return float(np.mean(np.interp(list(similarities), quantiles, steps)))


def _quantiles(similarities: Sequence[float]) -> Quantiles:
    found = np.quantile(np.asarray(similarities, np.float64), np.linspace(0, 1, _STEPS + 1))
    return tuple(round(value, _PLACES) for value in found.tolist())
