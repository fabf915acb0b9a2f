"""A real encoder without a network: colour histograms find pictures of like colours."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.encoding.base import Encoder
from coin_retrieval.errors import ModelError
from coin_retrieval.types import EncoderSpec, RgbImage

BINS = 4


class HistogramEncoder(Encoder):
    """64 RGB bins a picture; ``seen`` counts the pictures that passed.

    A pure black picture is refused, as a network refuses what overflows it.
    """

    def __init__(self, revision: str = "1") -> None:
        self.spec = EncoderSpec(
            name="histogram", revision=revision, dim=BINS**3, preprocessing="none", weights="none"
        )
        self.seen = 0

    def _embed(self, images: Sequence[RgbImage]) -> NDArray[np.float32]:
        self.seen += len(images)
        rows = np.zeros((len(images), BINS**3), np.float32)
        for row, image in zip(rows, images, strict=True):
            if not image.any():
                raise ModelError("a black picture has no colours")
            bins = (image.reshape(-1, 3) // (256 // BINS)).astype(np.int64)
            flat = bins @ np.array([BINS * BINS, BINS, 1])
            row[:] = np.bincount(flat, minlength=BINS**3) / len(flat)
        return rows
