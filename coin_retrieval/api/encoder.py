"""An encoder to embed pictures and texts with."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from coin_retrieval.api.arguments import encoder_settings, listener, whole
from coin_retrieval.encoding.base import SupportsText
from coin_retrieval.errors import InputError, UnsupportedError
from coin_retrieval.factory import make_encoder
from coin_retrieval.images.decoding import ImageLike, as_rgb

if TYPE_CHECKING:
    from coin_retrieval.config import EncoderSettings
    from coin_retrieval.progress import Progress
    from coin_retrieval.types import Embeddings, EncoderSpec


class Encoder:
    """An encoder by its short name: ``starter``, ``timm:NAME?checkpoint=FILE``, ``open_clip:…``.

    Raises:
        SettingsError, ModelError: a name that means nothing, or weights that cannot be used.
        MissingDependencyError: its library is not installed.
    """

    def __init__(self, name: str | EncoderSettings = "starter") -> None:
        self._encoder = make_encoder(encoder_settings(name))

    @property
    def spec(self) -> EncoderSpec:
        """The identity of its space."""
        return self._encoder.spec

    @property
    def reads_text(self) -> bool:
        """Whether texts lie in its space too."""
        return isinstance(self._encoder, SupportsText)

    def encode(
        self,
        images: ImageLike | Iterable[ImageLike],
        *,
        batch_size: int = 32,
        on: Progress | None = None,
    ) -> Embeddings:
        """Embed pictures: float32 [n dim], rows of L2 norm 1, in the order given.

        Args:
            images: paths, bytes of files, Pillow images or arrays; one alone is [1 dim].
            batch_size: pictures that are read and pass the network together.
            on: told as (stage, done, of).

        Raises:
            ImageError: something that is no picture.
            ModelError: the network gave non-finite values.
        """
        told, pictures = listener(on), _several(images)
        step = max(1, whole(batch_size, what="batch_size"))
        rows = [np.empty((0, self.spec.dim), np.float32)]
        for start in range(0, len(pictures), step):
            told("encoding", start, len(pictures))
            batch = [as_rgb(image) for image in pictures[start : start + step]]
            rows.append(self._encoder.encode(batch, batch_size=step))
        told("encoding", len(pictures), len(pictures))
        return np.concatenate(rows)

    def encode_text(self, texts: str | Iterable[str]) -> Embeddings:
        """Embed texts: float32 [n dim], rows of L2 norm 1, in the order given; one is [1 dim].

        Raises:
            UnsupportedError: it reads no text.
        """
        if not isinstance(self._encoder, SupportsText):
            raise UnsupportedError(
                "this encoder reads no text",
                value=str(self.spec),
                expected="an encoder with a text tower, such as an open_clip model",
            )
        several = [texts] if isinstance(texts, str) else _listed(texts, what="texts")
        if wrong := [text for text in several if not isinstance(text, str)]:
            raise InputError("not a text", value=type(wrong[0]).__name__, expected="texts as str")
        return self._encoder.encode_text(several)

    def __repr__(self) -> str:
        return f"<encoder {self.spec}, {'pictures and texts' if self.reads_text else 'pictures'}>"


def _several(images: Any) -> list[Any]:
    """A picture alone as a list of one; an array [n h w 3] holds n."""
    alone = isinstance(images, str | PathLike | bytes | Image.Image)
    if alone or (isinstance(images, np.ndarray) and images.ndim < 4):
        return [images]
    return _listed(images, what="pictures")


def _listed(things: Any, *, what: str) -> list[Any]:
    if not isinstance(things, Iterable):
        raise InputError(
            f"no {what}", value=type(things).__name__, expected=f"one or several {what}"
        )
    return list(things)
