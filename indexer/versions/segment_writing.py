"""A segment on its way: vectors and records, row by row."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from coin_retrieval import factory
from coin_retrieval.archive.manifest import Segment
from coin_retrieval.archive.segments import sealed_segment
from coin_retrieval.catalog.records import image_terms
from coin_retrieval.config import CatalogSettings, StoreSettings
from coin_retrieval.files import Closing
from coin_retrieval.types import CaseRecord, Embeddings, ImageId, ImageRecord

HASH_BYTES = 32
"""Of a content's SHA-256."""


class SegmentWriter(Closing):
    """Writes into a folder; without :meth:`seal` it is nothing.

    Args:
        folder: of the segment's own; made.
        root: the archive's folder, which it lies in.
        space: digest of the encoder's identity.
    """

    def __init__(
        self,
        folder: Path,
        *,
        root: Path,
        store: StoreSettings,
        catalog: CatalogSettings,
        dim: int,
        space: str,
    ) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._root = root
        self._store = factory.make_store_writer(store, folder, dim=dim, space=space)
        self._catalog = factory.make_catalog_writer(catalog, folder)
        self._digests = bytearray()
        self._count = 0

    @property
    def room(self) -> int:
        """How many rows it can still take."""
        return self._store.most_rows - len(self)

    def __len__(self) -> int:
        return self._count

    def add(
        self, cases: Mapping[str, CaseRecord], images: Sequence[ImageRecord], rows: Embeddings
    ) -> None:
        """Append images with their cases and their embeddings [n dim]."""
        named = {image.case_id for image in images}
        self._catalog.put([cases[case_id] for case_id in named], images)
        ids = np.array([image.image_id for image in images], np.int64)
        self._store.add(ids, rows, [image_terms(cases[i.case_id], i) for i in images])
        self._count += len(images)
        self._digests += bytes.fromhex("".join(image.content_hash for image in images))

    def images(self, ids: Collection[ImageId]) -> dict[ImageId, ImageRecord]:
        """Records of the ids that were added."""
        return self._catalog.images(ids)

    def of_contents(self, hashes: Collection[str]) -> list[ImageRecord]:
        """Images of these contents that were added, by row."""
        return self._catalog.of_contents(hashes)

    def contents(self) -> Iterator[str]:
        """The content of each row."""
        for start in range(0, len(self._digests), HASH_BYTES):
            yield self._digests[start : start + HASH_BYTES].hex()

    def seal(self) -> Segment:
        """Keep it for ever, as it is now."""
        store, catalog = self._store.seal(), self._catalog.seal()
        return sealed_segment(self._folder, self._root, store, catalog, len(self))

    def close(self) -> None:
        """Let go of its files."""
        self._store.close()
        self._catalog.close()
