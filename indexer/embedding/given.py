"""Embeddings that a source brings along, so that its pictures are not embedded again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.catalog.writing import chunks
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.errors import (
    EncoderMismatchError,
    ImageError,
    MissingDependencyError,
)
from coin_retrieval.images.containers import picture_at
from coin_retrieval.types import RgbImage
from indexer.embedding.contents import EmbeddedContents
from indexer.sources.clip_retrieval import ClipRetrievalSource

CHECKED = 16
SAME = 0.98
"""The least cosine to the encoder's own embedding; of half precision and another decoder's JPEG."""
_AT_ONCE = 256


def take_given(source: ClipRetrievalSource, encoder: Encoder, contents: EmbeddedContents) -> int:
    """Put a source's embeddings into the journal, as if the encoder had made them; says how many.

    Pictures that cannot be read, and vectors that are none, are left to the build.

    Raises:
        EncoderMismatchError: they are of another space: so the folder says, or so the first
            :data:`CHECKED` pictures show, which are embedded for that.
        InputError: the folder is not whole.
    """
    unchecked = 0 if source.check_space(encoder.spec) else CHECKED
    taken = 0
    for some in chunks(source.given(), _AT_ONCE):
        found: dict[str, tuple[RgbImage, NDArray[np.float32]]] = {}
        for row, vector in some:
            if vector.shape != (encoder.spec.dim,):
                raise _other_space(f"{len(vector)}-d", encoder)
            norm = float(np.linalg.norm(vector))
            if not (np.isfinite(norm) and norm > 0):
                continue
            try:
                picture = picture_at(row.image_path, row.part)
                if picture.content_hash not in contents:
                    found[picture.content_hash] = (picture.decode(), vector / norm)
            except (ImageError, MissingDependencyError):
                continue
        if not found:
            continue
        checked = list(found.values())[:unchecked]
        unchecked -= len(checked)
        if checked:
            own = encoder.encode([image for image, _ in checked])
            cosines = np.sum(own * np.stack([vector for _, vector in checked]), axis=1)
            if cosines.min() < SAME:
                raise _other_space(f"a cosine of {cosines.min():.3f} to its own", encoder)
        sizes = np.array([image.shape[1::-1] for image, _ in found.values()], np.int32)
        rows = np.stack([vector for _, vector in found.values()])
        contents.journal.write(list(found), sizes, rows)
        taken += len(found)
    return taken


def _other_space(value: str, encoder: Encoder) -> EncoderMismatchError:
    return EncoderMismatchError(
        "the embeddings are not of this encoder",
        value=value,
        expected=f"those of {encoder.spec}",
        remedy="name the encoder that made them with --encoder, or index the pictures themselves",
    )
