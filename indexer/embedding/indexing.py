"""Embedded rows to images: those that stay as they are, and those that are written."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np

from coin_retrieval.archive.uris import to_uri
from coin_retrieval.types import CaseRecord, FileState, ImageId, ImageRecord, Origin
from indexer.cases.wanted import CasesWanted
from indexer.embedding.contents import EmbeddedContents
from indexer.embedding.embedding import IndexedRow
from indexer.embedding.identity import ImageNumbers
from indexer.embedding.indexed import Indexed, duplicate_note, repeated_note
from indexer.versions.new_segments import NewSegments
from indexer.versions.segments_before import ArchiveBefore, SegmentBefore

_LookUp: TypeAlias = Callable[[Sequence[ImageId]], Mapping[ImageId, ImageRecord]]


class _Held(NamedTuple):
    """An image of the version before, and where it stands."""

    segment: SegmentBefore
    row: int
    image: ImageRecord


class Indexing:
    """Turns rows into images, a few hundred at a time.

    Args:
        sources: the path of each source, by its number.
        adding: whether images that no row names stay, too.
    """

    def __init__(
        self,
        before: ArchiveBefore,
        new: NewSegments,
        contents: EmbeddedContents,
        cases: CasesWanted,
        *,
        sources: Sequence[str],
        adding: bool,
    ) -> None:
        self._before = before
        self._new = new
        self._contents = contents
        self._cases = cases
        self._sources = sources
        self._adding = adding
        self._numbers = ImageNumbers(self._owner)
        self._writing: dict[ImageId, ImageRecord] = {}
        self._added: dict[ImageId, ImageRecord | None] = {}
        self._there: dict[ImageId, ImageRecord | None] = {}
        self._cases_of: dict[str, str] = {}

    def take(self, rows: Sequence[IndexedRow]) -> Indexed:
        """Keep or write the images of these rows."""
        done = Indexed()
        cases = self._cases.records({row.row.row.case_id for row in rows})
        differing = self._differing(cases)
        held = self._held({row.picture.content_hash for row in rows})
        self._ask(rows, held)
        fresh = {row.picture.content_hash for row in rows if _of(row, held) is None}
        vectors, sizes_px = self._gathered(fresh)
        self._writing = {}
        for indexed in rows:
            old = _of(indexed, held)
            image = self._image(indexed, old, sizes_px)
            present = self._present(image.image_id, old)
            if present is not None and not (self._adding and old and present is old.image):
                done.notes.append(duplicate_note(indexed.row.row, present, image))
                done.duplicates += 1
                continue
            other = self._other_case(image, held.get(image.content_hash, ()))
            if old is not None and self._stays(old, image) and image.case_id not in differing:
                done.unchanged += not old.segment.seen[old.row]
                old.segment.seen[old.row] = True
            else:
                self._writing[image.image_id] = image
                done.added += old is None
                if old is not None:
                    old.segment.replaced[old.row] = True
                    done.replaced += 1
            if other is not None and not (self._adding and old):
                done.repeated += 1
                done.notes.append(repeated_note(indexed.row.row, image, other))
        images = list(self._writing.values())
        vectors |= self._gathered({image.content_hash for image in images} - vectors.keys())[0]
        if images:
            embeddings = np.stack([vectors[image.content_hash] for image in images])
            self._new.add(cases, images, embeddings)
        self._writing = {}
        return done

    def _ask(self, rows: Sequence[IndexedRow], held: Mapping[str, Sequence[_Held]]) -> None:
        """What is known of these rows' images: each segment is looked into once for all of them."""
        fresh, known = [], []
        for indexed in rows:
            content_hash = indexed.picture.content_hash
            if (old := _of(indexed, held)) is None:
                fresh.append(self._numbers.candidate(indexed.row.row.case_id, content_hash))
            else:
                known.append(old.image.image_id)
        self._added = _by_id(self._new.images, [*fresh, *known])
        self._there = _by_id(self._before.catalog.images, fresh)
        self._cases_of = self._new.cases_of({row.picture.content_hash for row in rows})

    def _gathered(
        self, hashes: Iterable[str]
    ) -> tuple[dict[str, np.ndarray], dict[str, tuple[int, int]]]:
        """Embeddings and sizes by content."""
        ordered = sorted(hashes)
        rows, sizes_px = self._contents.gather(ordered)
        return dict(zip(ordered, rows, strict=True)), dict(zip(ordered, sizes_px, strict=True))

    def _held(self, hashes: Collection[str]) -> dict[str, list[_Held]]:
        """Images of the version before that have these contents."""
        held: dict[str, list[_Held]] = {}
        for segment in self._before.segments:
            images = segment.catalog.of_contents(hashes)
            ids = np.array([image.image_id for image in images], np.int64)
            for image, row in zip(images, segment.store.rows(ids).tolist(), strict=True):
                held.setdefault(image.content_hash, []).append(_Held(segment, row, image))
        return held

    def _differing(self, cases: dict[str, CaseRecord]) -> set[str]:
        """Cases that are wanted otherwise than they were, or were not."""
        known = self._before.catalog.cases(cases)
        return {case_id for case_id, case in cases.items() if known.get(case_id) != case}

    def _present(self, image_id: ImageId, old: _Held | None) -> ImageRecord | None:
        """The image, if this change has it already."""
        if image_id in self._writing:
            return self._writing[image_id]
        if old is not None and not old.segment.replaced[old.row]:
            return old.image if old.segment.seen[old.row] or self._adding else None
        return _of_number(image_id, self._added, self._new.images)

    def _stays(self, old: _Held, image: ImageRecord) -> bool:
        return old.image == image and (self._adding or old.segment.keepable)

    def _other_case(self, image: ImageRecord, held: Sequence[_Held]) -> str | None:
        """Another case that has this content already."""
        here = [
            old.image
            for old in held
            if (old.segment.seen[old.row] or self._adding) and not old.segment.replaced[old.row]
        ]
        here += [new for new in self._writing.values() if new.content_hash == image.content_hash]
        cases = [*(known.case_id for known in here), self._cases_of.get(image.content_hash)]
        return next((name for name in cases if name not in (None, image.case_id)), None)

    def _owner(self, number: ImageId) -> tuple[str, str] | None:
        image = (
            self._writing.get(number)
            or _of_number(number, self._added, self._new.images)
            or _of_number(number, self._there, self._before.catalog.images)
        )
        return None if image is None else (image.case_id, image.content_hash)

    def _image(
        self, indexed: IndexedRow, old: _Held | None, sizes_px: Mapping[str, tuple[int, int]]
    ) -> ImageRecord:
        row, picture = indexed.row.row, indexed.picture
        if old is None:
            image_id = self._numbers.number(row.case_id, picture.content_hash)
            width_px, height_px = sizes_px[picture.content_hash]
        else:
            image_id = old.image.image_id
            width_px, height_px = old.image.width_px, old.image.height_px
        return ImageRecord(
            image_id=image_id,
            case_id=row.case_id,
            uri=to_uri(row.image_path, row.part),
            content_hash=picture.content_hash,
            width_px=width_px,
            height_px=height_px,
            diagnosis=row.diagnosis,
            finding=row.finding,
            mpp_um=row.mpp_um,
            origin=Origin(row.origin),
            attributes=dict(row.attributes),
            slide_id=row.slide_id,
            file=FileState(
                self._sources[indexed.row.source], picture.size_bytes, picture.modified_ns
            ),
        )


def _of_number(
    number: ImageId, asked: dict[ImageId, ImageRecord | None], look_up: _LookUp
) -> ImageRecord | None:
    """Who has a number; one that comes after a collision was not asked for with the others."""
    if number not in asked:
        asked |= _by_id(look_up, [number])
    return asked[number]


def _by_id(look_up: _LookUp, ids: Sequence[ImageId]) -> dict[ImageId, ImageRecord | None]:
    found = look_up(ids)
    return {image_id: found.get(image_id) for image_id in ids}


def _of(indexed: IndexedRow, held: Mapping[str, Sequence[_Held]]) -> _Held | None:
    """The row's own image in the version before."""
    for old in held.get(indexed.picture.content_hash, ()):
        if old.image.case_id == indexed.row.row.case_id:
            return old
    return None
