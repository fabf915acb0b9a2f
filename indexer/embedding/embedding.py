"""Every row's picture, read and embedded, whatever the pictures are like."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Set
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import tee
from time import perf_counter
from typing import NamedTuple, TypeAlias

import numpy as np

from coin_retrieval.encoding.base import Encoder
from coin_retrieval.errors import ModelError
from coin_retrieval.images.decoding import Decoded
from coin_retrieval.types import Embeddings, ImageRecord
from indexer.embedding.pictures import PictureReader, ReadPicture, Unreadable
from indexer.rows import SourceRow
from indexer.versions.journal import SizesPx

KnownRows: TypeAlias = Iterable[tuple[SourceRow, ImageRecord | None]]
"""Rows, each with as what its file was indexed before."""

BATCH_PIXELS = 100_000_000
"""A batch is embedded as soon as its pictures exceed this, however few they are."""

ROWS_WAITING = 5000
"""Nor does it wait for more while so many rows wait for it, whose pictures were embedded before."""


@dataclass(frozen=True, slots=True)
class IndexedRow:
    """A row whose picture is embedded; ``picture`` holds no pixels."""

    row: SourceRow
    picture: ReadPicture


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row whose picture cannot be indexed, and why; ``meant``: that shall not be."""

    row: SourceRow
    reason: str
    meant: bool = False


class Batch(NamedTuple):
    """What was embedded together: SHA-256 (hex), int32 [n 2], float32 [n dim]."""

    hashes: list[str]
    sizes_px: SizesPx
    embeddings: Embeddings


class RowEmbedder:
    """Passes rows through the reader and the encoder, a batch at a time.

    ``embedded`` counts the pictures that the encoder saw, ``encoding_s`` is how long that took.

    Args:
        embedded: which of some contents (SHA-256, hex) need no encoder any more.
        keep: takes each batch, into the journal.
    """

    def __init__(
        self,
        encoder: Encoder,
        reader: PictureReader,
        *,
        embedded: Callable[[Collection[str]], Set[str]],
        keep: Callable[[list[str], SizesPx, Embeddings], None],
        batch_size: int,
    ) -> None:
        self.embedded = 0
        self.encoding_s = 0.0
        self._encoder = encoder
        self._reader = reader
        self._embedded = embedded
        self._keep = keep
        self._batch_size = batch_size
        self._waiting: dict[str, Decoded] = {}
        self._asked: set[str] = set()
        self._refused: dict[str, str] = {}

    def embed(self, rows: KnownRows) -> Iterator[IndexedRow | SkippedRow]:
        """What became of each row, in order, once its picture is embedded.

        Raises:
            ModelError: the encoder fails on every picture of a batch.
        """
        waiting: list[tuple[SourceRow, ReadPicture | Unreadable]] = []
        rows, named = tee(rows)
        read = self._reader.read_all((row.row, known) for row, known in named)
        with closing(read) as pictures:
            for (row, _), picture in zip(rows, pictures, strict=True):
                waiting.append((row, self._take(picture)))
                if self._is_full() or not self._waiting or len(waiting) >= ROWS_WAITING:
                    self._flush()
                    yield from map(self._outcome, waiting)
                    waiting.clear()
        self._flush()
        yield from map(self._outcome, waiting)

    def _outcome(self, read: tuple[SourceRow, ReadPicture | Unreadable]) -> IndexedRow | SkippedRow:
        row, picture = read
        if isinstance(picture, Unreadable):
            return SkippedRow(row, picture.reason, picture.meant)
        if picture.content_hash in self._refused:
            return SkippedRow(row, self._refused[picture.content_hash])
        return IndexedRow(row, picture)

    def _take(self, picture: ReadPicture | Unreadable) -> ReadPicture | Unreadable:
        """Let a new picture wait for its batch; what is handed back holds no pixels."""
        if isinstance(picture, Unreadable) or picture.decoded is None:
            return picture
        digest = picture.content_hash
        if digest not in self._refused:
            self._waiting.setdefault(digest, picture.decoded)
        return replace(picture, decoded=None)

    def _is_full(self) -> bool:
        if self._is_enough():
            self._leave_embedded()
        return self._is_enough()

    def _leave_embedded(self) -> None:
        """Take from what waits what need not: all of it in one question, none of it twice."""
        new = self._waiting.keys() - self._asked
        for digest in self._embedded(new) if new else ():
            del self._waiting[digest]
        self._asked = set(self._waiting)

    def _is_enough(self) -> bool:
        pixels = sum(decoded.image.size // 3 for decoded in self._waiting.values())
        return len(self._waiting) >= self._batch_size or pixels > BATCH_PIXELS

    def _flush(self) -> None:
        """Embed and journal what waits."""
        self._leave_embedded()
        if not self._waiting:
            return
        began = perf_counter()
        embeddings = self._encode()
        self.encoding_s += perf_counter() - began
        hashes = list(embeddings)
        sizes = [self._waiting[h].size_px for h in hashes]
        rows = np.stack(list(embeddings.values()))
        self._keep(hashes, np.array(sizes, np.int32), rows)
        self._waiting.clear()
        self._asked.clear()
        self.embedded += len(hashes)

    def _encode(self) -> dict[str, np.ndarray]:
        """A row a content; a picture that the encoder cannot embed does not cost the others."""
        images = [decoded.image for decoded in self._waiting.values()]
        try:
            rows = self._encoder.encode(images, batch_size=len(images))
            return dict(zip(self._waiting, rows, strict=True))
        except ModelError as of_batch:
            alone: dict[str, np.ndarray] = {}
            for content_hash, image in zip(self._waiting, images, strict=True):
                try:
                    alone[content_hash] = self._encoder.encode([image])[0]
                except ModelError as of_picture:
                    self._refused[content_hash] = str(of_picture)
            if not alone:
                raise of_batch
            return alone
