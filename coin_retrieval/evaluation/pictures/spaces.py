"""Feature spaces by a short name, and what distances in them are called."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

import numpy as np

from coin_retrieval.encoding.base import Encoder, SupportsFeatures, SupportsText
from coin_retrieval.errors import WeightsError
from coin_retrieval.evaluation.pictures.feature_cache import FeatureCache
from coin_retrieval.evaluation.pictures.picture_sets import PictureSet
from coin_retrieval.factory import make_encoder, parse_encoder
from coin_retrieval.images.decoding import load_image
from coin_retrieval.images.resizing import fit_square
from coin_retrieval.progress import Progress, silent
from coin_retrieval.types import Features

INCEPTION = "inception"
_BATCH = 32
_PUBLISHED = {"mobilenetv2_100": "MobileNetV2", "inception-v3-compat": "Inception"}


@dataclass(frozen=True, slots=True)
class FeatureSpace:
    """An encoder to measure with, and how its figures are named.

    Args:
        size_px: every picture is brought to this square first, so that sharpness does not tell sets
            of different sizes apart.
        cache: a folder that keeps features by content; ``None`` keeps nothing.
    """

    encoder: Encoder
    size_px: int | None = None
    cache: Path | None = None

    def features(self, pictures: PictureSet, on: Progress = silent) -> Features:
        """Of every picture, float32 [n dim]: raw where the encoder gives them, else unit rows.

        Raises:
            ImageError: a picture that cannot be read; none is left out silently.
            SettingsError: the cache cannot be written.
        """
        kept = None
        if self.cache is not None:
            kept = FeatureCache.of(self.cache, self.encoder.spec, size_px=self.size_px)
        paths = [row.image_path for row in pictures.rows]
        parts = []
        for start in range(0, len(paths), _BATCH):
            on(pictures.name, start, len(paths))
            some = paths[start : start + _BATCH]
            parts.append(kept.rows(some, self._measure) if kept else self._measure(some))
        on(pictures.name, len(paths), len(paths))
        return np.concatenate(parts)

    def _measure(self, paths: Sequence[Path]) -> Features:
        encoder = self.encoder
        extract = encoder.features if isinstance(encoder, SupportsFeatures) else encoder.encode
        images = [load_image(path) for path in paths]
        if self.size_px is not None:
            images = [fit_square(image, self.size_px) for image in images]
        return extract(images, batch_size=_BATCH)

    @property
    def name(self) -> str:
        """The space's name in tables, e.g. ``MobileNetV2``."""
        return _PUBLISHED.get(self.encoder.spec.name, self.encoder.spec.name)

    @property
    def frechet_name(self) -> str:
        """``FID`` for Inception-v3 and for nothing else: ``FD-MobileNetV2``."""
        return "FID" if self.name == "Inception" else f"FD-{self.name}"

    @property
    def kernel_name(self) -> str:
        """``KID`` for Inception-v3, else ``KD-`` and the space."""
        return "KID" if self.name == "Inception" else f"KD-{self.name}"

    @property
    def cmmd_name(self) -> str | None:
        """``CMMD-`` and the space; ``None`` where the encoder was not trained with texts."""
        return f"CMMD-{self.name}" if isinstance(self.encoder, SupportsText) else None


def open_space(text: str, *, size_px: int | None = None, cache: Path | None = None) -> FeatureSpace:
    """A feature space by an encoder's short name, or ``inception?weights=FILE``.

    Raises:
        SettingsError: an unknown form, or a value out of range.
        WeightsError: weights that are missing or do not fit; nothing is downloaded.
        MissingDependencyError: its library is not installed.
    """
    name, _, options = text.strip().partition("?")
    if name != INCEPTION:
        settings = parse_encoder(text)
        if settings.dtype == "auto":
            # figures must not depend on which half precision a machine happens to compute
            settings = settings.model_copy(update={"dtype": "float32"})
        return FeatureSpace(make_encoder(settings), size_px, cache)
    from coin_retrieval.evaluation.pictures.inception import InceptionEncoder

    given = dict(parse_qsl(options))
    if set(given) != {"weights"}:
        raise WeightsError(
            "Inception features need their weights",
            value=text,
            expected="inception?weights=FILE.safetensors",
            remedy="docs/evaluation.md says where they are published and how to convert them",
        )
    return FeatureSpace(InceptionEncoder(Path(given["weights"])), size_px, cache)
