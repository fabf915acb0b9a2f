"""The encoder's role: pictures (and, for some, texts) to points of one embedding space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.errors import ImageError, ModelError
from coin_retrieval.types import Embeddings, EncoderSpec, Features, RgbImage

BATCH = 32


class Encoder(ABC):
    """Embeds images. Backends implement :meth:`_embed` and set :attr:`spec`.

    Cheap to make where files alone tell the spec: the network then loads when it is first used.
    Not thread-safe: one caller at a time.
    """

    spec: EncoderSpec

    def load(self) -> None:  # noqa: B027 - where the constructor loads, nothing is left to do
        """Load the network now, so that nobody waits for it later.

        Raises:
            SettingsError: an unknown device.
            WeightsError: weights that do not fit.
        """

    def encode(self, images: Sequence[RgbImage], *, batch_size: int = BATCH) -> Embeddings:
        """Embed images of any size.

        Args:
            images: uint8 [h w 3] each; the backend's own preprocessing resizes them.
            batch_size: images that pass the network together.

        Returns:
            float32 [n dim], rows of L2 norm 1, in the order given.

        Raises:
            ImageError: an array that is not uint8 [h w 3].
            ModelError: the network gave non-finite values.
        """
        return unit_rows(self._raw([self._shown(image) for image in images], batch_size))

    def encode_drawn(self, images: Sequence[RgbImage]) -> Embeddings:
        """As :meth:`encode`, for pictures by a generator: they show what it was trained on."""
        return unit_rows(self._raw(images, BATCH))

    def _shown(self, image: RgbImage) -> RgbImage:
        """A real picture as the network shall see it."""
        return image

    def _raw(self, images: Sequence[RgbImage], batch_size: int) -> Features:
        for image in images:
            if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
                raise ImageError(
                    "not an RGB picture",
                    value=f"{image.dtype} {image.shape}",
                    expected="uint8 [height width 3]",
                    remedy="decode files with coin_retrieval.images.decoding.load_image",
                )
        parts = [
            self._embed(images[start : start + batch_size])
            for start in range(0, len(images), batch_size)
        ]
        return np.concatenate([np.empty((0, self.spec.dim), np.float32), *parts])

    @abstractmethod
    def _embed(self, images: Sequence[RgbImage]) -> NDArray[np.float32]:
        """Raw features [n dim] of one batch, n ≥ 1."""


@runtime_checkable
class SupportsText(Protocol):
    """An encoder whose space holds texts too."""

    def encode_text(self, texts: Sequence[str]) -> Embeddings:
        """Embed texts: float32 [n dim], rows of L2 norm 1."""
        ...

    def dropped_text(self, text: str) -> str:
        """The end of ``text`` that the text tower cannot read; empty if it reads all."""
        ...


@runtime_checkable
class SupportsFeatures(Protocol):
    """An encoder that also gives what it computes before normalising."""

    def features(self, images: Sequence[RgbImage], *, batch_size: int = 32) -> Features:
        """Raw features, float32 [n dim]: Fréchet distances need their scale."""
        ...


def unit_rows(features: NDArray[np.floating]) -> Embeddings:
    """Scale rows to L2 norm 1, float32.

    Raises:
        ModelError: a row is zero or not finite.
    """
    rows = np.asarray(features, np.float32)
    norms = np.linalg.norm(rows, axis=-1, keepdims=True)
    if not np.all(np.isfinite(norms)) or np.any(norms == 0):
        raise ModelError(
            "the encoder gave zero or non-finite features",
            value=f"{int(np.sum(~np.isfinite(norms) | (norms == 0)))} of {len(rows)} rows",
            expected="finite, non-zero rows",
            remedy="run the encoder in float32 (dtype: float32), or check its weights",
        )
    unit: Embeddings = rows / norms
    return unit
