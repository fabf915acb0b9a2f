"""What has been embedded, by content: in segments of any version, and in the journal."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from coin_retrieval.catalog.base import Catalog
from coin_retrieval.files import Closing
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.types import Embeddings, ImageRecord
from indexer.versions.journal import Journal


class Pool(NamedTuple):
    """Rows that were embedded by the encoder in use, whether a version still has them or not."""

    store: VectorStore
    catalog: Catalog

    def close(self) -> None:
        """Release its files."""
        self.store.close()
        self.catalog.close()


class EmbeddedContents(Closing):
    """Embeddings and picture sizes by the SHA-256 (hex) of the pictures' files.

    Asked from several threads; what grows, grows in one of them.
    """

    def __init__(self, journal: Journal, pools: Iterable[Pool] = ()) -> None:
        self.journal = journal
        self._pools = list(pools)

    def add(self, pool: Pool) -> None:
        """Another segment."""
        self._pools.append(pool)

    def __contains__(self, content_hash: str) -> bool:
        return content_hash in self.journal or any(
            pool.catalog.of_contents([content_hash]) for pool in self._pools
        )

    def known(self, hashes: Collection[str]) -> set[str]:
        """Which of these are embedded: many in one question to each segment."""
        found = {content_hash for content_hash in hashes if content_hash in self.journal}
        for pool in self._pools:
            left = [content_hash for content_hash in hashes if content_hash not in found]
            if not left:
                break
            found.update(image.content_hash for image in pool.catalog.of_contents(left))
        return found

    def of_uris(self, uris: Sequence[str]) -> dict[str, ImageRecord]:
        """What is known of pictures that were read from there; of several, the newest."""
        found: dict[str, ImageRecord] = {}
        for pool in self._pools:
            for image in pool.catalog.of_uris(uris):
                known = found.get(image.uri)
                if known is None or image.file.modified_ns > known.file.modified_ns:
                    found[image.uri] = image
        return found

    def gather(self, hashes: Sequence[str]) -> tuple[Embeddings, list[tuple[int, int]]]:
        """Float32 [n dim], and each picture's width and height, in the order asked."""
        rows = np.empty((len(hashes), self.journal.dim), np.float32)
        sizes: dict[str, tuple[int, int]] = {}
        places: dict[str, list[int]] = {}
        for place, content_hash in enumerate(hashes):
            places.setdefault(content_hash, []).append(place)
        for content_hash, size_px, embedding in self.journal.read(list(places)):
            rows[places.pop(content_hash)] = embedding
            sizes[content_hash] = size_px
        for pool in self._pools:
            if not places:
                break
            held = {image.content_hash: image for image in pool.catalog.of_contents(places)}
            ids = np.array([image.image_id for image in held.values()], np.int64)
            for image, row in zip(held.values(), pool.store.vectors(ids), strict=True):
                rows[places.pop(image.content_hash)] = row
                sizes[image.content_hash] = (image.width_px, image.height_px)
        return rows, [sizes[content_hash] for content_hash in hashes]

    def close(self) -> None:
        """Release the segments' files."""
        for pool in self._pools:
            pool.close()
