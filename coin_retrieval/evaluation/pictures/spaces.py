"""Feature spaces by a short name, and what distances in them are called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

from coin_retrieval.encoding.base import Encoder, SupportsText
from coin_retrieval.errors import WeightsError
from coin_retrieval.factory import make_encoder, parse_encoder

INCEPTION = "inception"
_PUBLISHED = {"mobilenetv2_100": "MobileNetV2", "inception-v3-compat": "Inception"}


@dataclass(frozen=True, slots=True)
class FeatureSpace:
    """An encoder to measure with, and how its figures are named."""

    encoder: Encoder

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


def open_space(text: str) -> FeatureSpace:
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
        return FeatureSpace(make_encoder(settings))
    from coin_retrieval.evaluation.pictures.inception import InceptionEncoder

    given = dict(parse_qsl(options))
    if set(given) != {"weights"}:
        raise WeightsError(
            "Inception features need their weights",
            value=text,
            expected="inception?weights=FILE.safetensors",
            remedy="docs/evaluation.md says where they are published and how to convert them",
        )
    return FeatureSpace(InceptionEncoder(Path(given["weights"])))
