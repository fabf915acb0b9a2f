"""The segments that a change writes: one after another, each sealed when it is full."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence

import numpy as np

from coin_retrieval.archive import ArchiveLayout
from coin_retrieval.archive.manifest import Segment
from coin_retrieval.catalog.base import Catalog
from coin_retrieval.config import CatalogSettings, StoreSettings
from coin_retrieval.files import Closing
from coin_retrieval.types import CaseRecord, Embeddings, ImageId, ImageRecord, RowMask
from indexer.embedding.contents import EmbeddedContents, Pool
from indexer.versions.sealed_work import SealedWork
from indexer.versions.segment_writing import SegmentWriter
from indexer.versions.segments_before import ArchiveBefore, SegmentBefore

_COPIED_AT_ONCE = 2000


class NewSegments(Closing):
    """Rows that a change adds, in segments below the archive's ``work/``.

    Args:
        contents: told of every segment that is sealed, and of those that an earlier build left.

    ``copied`` counts the rows that were in segments before.
    """

    def __init__(
        self,
        layout: ArchiveLayout,
        contents: EmbeddedContents,
        *,
        store: StoreSettings,
        catalog: CatalogSettings,
    ) -> None:
        self._layout = layout
        self._contents = contents
        self._store = store
        self._catalog = catalog
        self._work = SealedWork(layout, contents.journal, store=store, catalog=catalog)
        for left in self._work.left():
            contents.add(left)
        self._writer: SegmentWriter | None = None
        self._sealed: list[tuple[Segment, Pool]] = []
        self.copied = 0

    def __len__(self) -> int:
        unsealed = len(self._writer) if self._writer is not None else 0
        return unsealed + sum(segment.rows for segment, _ in self._sealed)

    def add(
        self, cases: Mapping[str, CaseRecord], images: Sequence[ImageRecord], rows: Embeddings
    ) -> None:
        """Append images, which are in none of the segments yet, with their embeddings [n dim]."""
        start = 0
        while start < len(images):
            writer = self._open_writer()
            end = start + writer.room
            writer.add(cases, images[start:end], rows[start:end])
            start = end
            if not writer.room:
                self._seal()

    def images(self, ids: Sequence[ImageId]) -> dict[ImageId, ImageRecord]:
        """Records of the ids that were added: many in one question to each segment."""
        found: dict[ImageId, ImageRecord] = {}
        for segment in self._written():
            found |= segment.images(ids)
        return found

    def cases_of(self, hashes: Collection[str]) -> dict[str, str]:
        """The first case that each of these contents was added under."""
        cases: dict[str, str] = {}
        for segment in self._written():
            for image in segment.of_contents(hashes):
                cases.setdefault(image.content_hash, image.case_id)
        return cases

    def _written(self) -> Iterator[Catalog | SegmentWriter]:
        yield from (pool.catalog for _, pool in self._sealed)
        if self._writer is not None:
            yield self._writer

    def rewrite(self, before: ArchiveBefore, changed: Iterable[Mapping[str, CaseRecord]]) -> None:
        """Write all other images of cases that have changed, with their cases as they are now."""
        for cases in changed:
            for segment in before.segments:
                images = [i for some in segment.catalog.images_of(cases).values() for i in some]
                ids = np.array([image.image_id for image in images], np.int64)
                rows = segment.store.rows(ids)
                self._copy(segment, rows[~segment.replaced[rows]], cases)

    def merge(
        self, before: ArchiveBefore, *, keep_unseen: bool, always: Container[str] = ()
    ) -> list[tuple[Segment, RowMask]]:
        """Take along segments no larger than what is new; the others, with the rows that stay.

        So there are never more segments than the archive's size has binary digits, and a row is
        copied no more often than that (Bentley and Saxe 1980). What an earlier program wrote lies
        in its version's own folder and is always taken along.

        Args:
            keep_unseen: whether rows stay that the change did not name.
            always: folders of segments that are taken along however large they are.
        """
        kept: list[tuple[Segment, RowMask]] = []
        staying = [
            (segment, (segment.alive if keep_unseen else segment.seen) & ~segment.replaced)
            for segment in before.segments
        ]
        for segment, alive in sorted(staying, key=lambda pair: np.count_nonzero(pair[1])):
            rows = np.flatnonzero(alive)
            small = self._writer is not None and len(rows) <= min(len(self), self._writer.room)
            written_anew = segment.entry.earlier or segment.entry.folder in always
            if written_anew or (small and len(rows)):
                self._copy(segment, rows, {})
            else:
                kept.append((segment.entry, alive))
        return sorted(kept, key=lambda pair: pair[0].folder)

    def _copy(
        self, segment: SegmentBefore, rows: np.ndarray, cases: Mapping[str, CaseRecord]
    ) -> None:
        """Write rows of a segment again; ``cases`` are those that are not as it has them."""
        ids = segment.catalog.ids()
        for start in range(0, len(rows), _COPIED_AT_ONCE):
            some = ids[rows[start : start + _COPIED_AT_ONCE]]
            records = segment.catalog.images(ImageId(i) for i in some.tolist())
            images = [records[ImageId(i)] for i in some.tolist()]
            named = {image.case_id for image in images}
            own = segment.catalog.cases(named - cases.keys())
            self.add({**own, **cases}, images, segment.store.vectors(some))
        segment.replaced[rows] = True
        self.copied += len(rows)

    def seal(self) -> list[Segment]:
        """Seal what is open; all segments, still below ``work/``."""
        if self._writer is not None and len(self._writer):
            self._seal()
        return [segment for segment, _ in self._sealed]

    def close(self) -> None:
        """Let go of what is open."""
        if self._writer is not None:
            self._writer.close()

    def _open_writer(self) -> SegmentWriter:
        if self._writer is None:
            self._writer = SegmentWriter(
                self._work.next_folder(),
                root=self._layout.root,
                store=self._store,
                catalog=self._catalog,
                dim=self._contents.journal.dim,
                space=self._contents.journal.space,
            )
        return self._writer

    def _seal(self) -> None:
        assert self._writer is not None  # noqa: S101
        segment = self._writer.seal()
        written, self._writer = self._writer.contents(), None
        pool = self._work.keep(segment)
        self._sealed.append((segment, pool))
        self._contents.add(pool)
        self._contents.journal.forget(written)
