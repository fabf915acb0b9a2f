"""Every row's picture, read and embedded, whatever the pictures are like."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

import numpy as np

from coin_retrieval.case_table import CaseRow
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.errors import ModelError
from coin_retrieval.progress import Progress, silent
from coin_retrieval.types import RgbImage
from indexer.contents import EmbeddedContents
from indexer.journal import Journal
from indexer.pictures import PictureReader, ReadPicture, Unreadable

BATCH_PIXELS = 100_000_000
"""A batch is embedded as soon as its pictures exceed this, however few they are."""


@dataclass(frozen=True, slots=True)
class IndexedRow:
    """A row whose picture is embedded."""

    row: CaseRow
    content_hash: str


@dataclass(frozen=True, slots=True)
class SkippedRow:
    """A row whose picture cannot be indexed, and why."""

    row: CaseRow
    reason: str


@dataclass(slots=True)
class Embedded:
    """What became of the rows, in their order, and how many pictures the encoder saw."""

    indexed: list[IndexedRow] = field(default_factory=list)
    skipped: list[SkippedRow] = field(default_factory=list)
    embedded: int = 0


class RowEmbedder:
    """Passes rows through the reader and the encoder, a batch at a time, into the journal."""

    def __init__(
        self,
        encoder: Encoder,
        reader: PictureReader,
        *,
        contents: EmbeddedContents,
        journal: Journal,
        batch_size: int,
    ) -> None:
        self._encoder = encoder
        self._reader = reader
        self._contents = contents
        self._journal = journal
        self._batch_size = batch_size
        self._waiting: dict[str, RgbImage] = {}
        self._refused: dict[str, str] = {}

    def embed(self, rows: Sequence[CaseRow], on: Progress = silent) -> Embedded:
        """Embed what is not embedded yet; ``on`` is told of every row.

        Raises:
            ModelError: the encoder fails on every picture of a batch.
        """
        done = Embedded()
        pictures: list[ReadPicture | Unreadable] = []
        on("indexing", 0, len(rows))
        with closing(self._reader.read_all(row.image_path for row in rows)) as reading:
            for number, picture in enumerate(reading, start=1):
                pictures.append(self._take(picture))
                if len(self._waiting) >= self._batch_size or self._waiting_pixels() > BATCH_PIXELS:
                    done.embedded += self._flush()
                on("indexing", number, len(rows))
        done.embedded += self._flush()
        for row, picture in zip(rows, pictures, strict=True):
            if isinstance(picture, Unreadable):
                done.skipped.append(SkippedRow(row, picture.reason))
            elif picture.content_hash in self._refused:
                done.skipped.append(SkippedRow(row, self._refused[picture.content_hash]))
            else:
                done.indexed.append(IndexedRow(row, picture.content_hash))
        return done

    def _take(self, picture: ReadPicture | Unreadable) -> ReadPicture | Unreadable:
        """Let a new picture wait for its batch; what is handed back holds no pixels."""
        if isinstance(picture, Unreadable) or picture.image is None:
            return picture
        if picture.content_hash not in self._contents and picture.content_hash not in self._refused:
            self._waiting.setdefault(picture.content_hash, picture.image)
        return replace(picture, image=None)

    def _waiting_pixels(self) -> int:
        return sum(image.shape[0] * image.shape[1] for image in self._waiting.values())

    def _flush(self) -> int:
        """Embed and journal what waits; returns how many pictures that were."""
        if not self._waiting:
            return 0
        embeddings = self._encode()
        hashes = list(embeddings)
        sizes = [self._waiting[h].shape[1::-1] for h in hashes]
        batch = (hashes, np.array(sizes, np.int32), np.stack(list(embeddings.values())))
        self._journal.write(*batch)
        self._contents.add(*batch)
        self._waiting.clear()
        return len(hashes)

    def _encode(self) -> dict[str, np.ndarray]:
        """A row a content; a picture that the encoder cannot embed does not cost the others."""
        hashes, images = list(self._waiting), list(self._waiting.values())
        try:
            rows = self._encoder.encode(images, batch_size=len(images))
            return dict(zip(hashes, rows, strict=True))
        except ModelError as of_batch:
            alone: dict[str, np.ndarray] = {}
            for content_hash, image in self._waiting.items():
                try:
                    alone[content_hash] = self._encoder.encode([image])[0]
                except ModelError as of_picture:
                    self._refused[content_hash] = str(of_picture)
            if not alone:
                raise of_batch
            return alone
