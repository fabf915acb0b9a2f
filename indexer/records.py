"""Rows to cases and images: repetitions merged, and every oddity noted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from coin_retrieval.archive.uris import to_uri
from coin_retrieval.case_table import CaseRow
from coin_retrieval.types import CaseRecord, ImageId, ImageRecord, Origin
from indexer.contents import EmbeddedContents
from indexer.embedding import IndexedRow
from indexer.identity import ImageNumbers

_OF_CASE = ("site", "specimen", "stain", "report", "patient_id")
_OF_IMAGE = ("diagnosis", "finding", "mpp_um", "origin", "attributes", "slide_id")


@dataclass(slots=True)
class Records:
    """Cases and images by their ids, and notes on what was odd.

    A note's ``kind`` is ``duplicate`` (the same picture of the same case again: merged),
    ``repeated`` (the same picture under another case: both stay) or ``case_differs`` (a case's rows
    disagree: the first value stays).
    """

    cases: dict[str, CaseRecord] = field(default_factory=dict)
    images: dict[ImageId, ImageRecord] = field(default_factory=dict)
    notes: list[dict[str, Any]] = field(default_factory=list)

    def count(self, kind: str) -> int:
        """How many notes of a kind."""
        return sum(note["kind"] == kind for note in self.notes)

    def of_origin(self, origin: Origin) -> int:
        """How many images of an origin."""
        return sum(image.origin is origin for image in self.images.values())

    def by_case(self) -> Iterator[tuple[CaseRecord, list[ImageRecord]]]:
        """Each case with its images, in the order of the sources."""
        images: dict[str, list[ImageRecord]] = {case_id: [] for case_id in self.cases}
        for image in self.images.values():
            images[image.case_id].append(image)
        for case_id, case in self.cases.items():
            yield case, images[case_id]


def make_records(
    rows: Iterable[IndexedRow], contents: EmbeddedContents, numbers: ImageNumbers
) -> Records:
    """Records of the rows, in their order."""
    records = Records()
    first_case: dict[str, str] = {}
    for indexed in rows:
        row, content_hash = indexed.row, indexed.content_hash
        _merge_case(records, row)
        image = _image(row, content_hash, contents, numbers)
        present = records.images.get(image.image_id)
        if present is not None:
            records.notes.append(_duplicate(row, present, image))
            continue
        records.images[image.image_id] = image
        other = first_case.setdefault(content_hash, row.case_id)
        if other != row.case_id:
            note = {"kind": "repeated", "case_id": row.case_id, "other_case_id": other}
            records.notes.append(note | {"path": str(row.image_path), "content_hash": content_hash})
    return records


def _image(
    row: CaseRow, content_hash: str, contents: EmbeddedContents, numbers: ImageNumbers
) -> ImageRecord:
    width_px, height_px = contents.size_px(content_hash)
    return ImageRecord(
        image_id=numbers.number(row.case_id, content_hash),
        case_id=row.case_id,
        uri=to_uri(row.image_path),
        content_hash=content_hash,
        width_px=width_px,
        height_px=height_px,
        diagnosis=row.diagnosis,
        finding=row.finding,
        mpp_um=row.mpp_um,
        origin=Origin(row.origin),
        attributes=dict(row.attributes),
        slide_id=row.slide_id,
    )


def _merge_case(records: Records, row: CaseRow) -> None:
    """The first value of each field stays; what rows leave empty, later ones may fill."""
    case = records.cases.setdefault(row.case_id, CaseRecord(case_id=row.case_id))
    for name in _OF_CASE:
        old, new = getattr(case, name), getattr(row, name)
        if not old and new:
            case = replace(case, **{name: new})
        elif new and new != old:
            note = {"kind": "case_differs", "case_id": row.case_id, "field": name}
            records.notes.append(note | {"kept": old, "other": new, "path": str(row.image_path)})
    records.cases[row.case_id] = case


def _duplicate(row: CaseRow, kept: ImageRecord, other: ImageRecord) -> dict[str, Any]:
    differing = [name for name in _OF_IMAGE if getattr(kept, name) != getattr(other, name)]
    return {
        "kind": "duplicate",
        "case_id": row.case_id,
        "path": str(row.image_path),
        "kept": kept.uri,
        "content_hash": kept.content_hash,
        "differs_in": differing,
    }
