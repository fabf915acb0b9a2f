"""What has been embedded, by content."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.archive import Archive
from coin_retrieval.types import Embeddings, ImageId

SizesPx = NDArray[np.int32]
"""int32 [n 2]: width and height of each picture."""

_READ_AT_ONCE = 5000


class _Place(NamedTuple):
    block: int
    row: int


class EmbeddedContents:
    """Embeddings and picture sizes by the SHA-256 (hex) of the pictures' files."""

    def __init__(self, dim: int) -> None:
        self.dim = dim
        self._places: dict[str, _Place] = {}
        self._embeddings: list[Embeddings] = []
        self._sizes_px: list[SizesPx] = []

    def __contains__(self, content_hash: str) -> bool:
        return content_hash in self._places

    def __len__(self) -> int:
        return len(self._places)

    def add(self, hashes: Sequence[str], sizes_px: SizesPx, embeddings: Embeddings) -> None:
        """Add contents; the first embedding of a content stays."""
        block = len(self._embeddings)
        self._embeddings.append(embeddings)
        self._sizes_px.append(sizes_px)
        for row, content_hash in enumerate(hashes):
            self._places.setdefault(content_hash, _Place(block, row))

    def add_archive(self, archive: Archive) -> None:
        """Add everything that a published version holds."""
        ids = archive.store.ids()
        for start in range(0, len(ids), _READ_AT_ONCE):
            some = ids[start : start + _READ_AT_ONCE]
            records = archive.catalog.images(ImageId(i) for i in some.tolist())
            known = np.array([i for i in some.tolist() if ImageId(i) in records], np.int64)
            images = [records[ImageId(i)] for i in known.tolist()]
            self.add(
                [image.content_hash for image in images],
                np.array([[i.width_px, i.height_px] for i in images], np.int32).reshape(-1, 2),
                archive.store.vectors(known),
            )

    def size_px(self, content_hash: str) -> tuple[int, int]:
        """Width and height."""
        block, row = self._places[content_hash]
        width, height = self._sizes_px[block][row].tolist()
        return width, height

    def embeddings(self, hashes: Iterable[str]) -> Embeddings:
        """Float32 [n dim], in the order asked."""
        places = [self._places[content_hash] for content_hash in hashes]
        gathered = np.empty((len(places), self.dim), np.float32)
        for index, (block, row) in enumerate(places):
            gathered[index] = self._embeddings[block][row]
        return gathered
