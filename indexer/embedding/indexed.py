"""What became of rows: counts, and notes on pictures that came more than once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.types import ImageRecord

_OF_IMAGE = ("diagnosis", "finding", "mpp_um", "origin", "attributes", "slide_id")


@dataclass(slots=True)
class Indexed:
    """How many images a change left as they were, wrote anew, added; and duplicates of them.

    ``notes`` say what was odd: ``duplicate`` (the same picture of the same case again: merged) or
    ``repeated`` (the same picture under another case: both stay).
    """

    unchanged: int = 0
    replaced: int = 0
    added: int = 0
    duplicates: int = 0
    repeated: int = 0
    notes: list[dict[str, Any]] = field(default_factory=list)

    def plus(self, other: Indexed) -> Indexed:
        """Both together; the notes are not counted."""
        return Indexed(
            self.unchanged + other.unchanged,
            self.replaced + other.replaced,
            self.added + other.added,
            self.duplicates + other.duplicates,
            self.repeated + other.repeated,
        )


def repeated_note(row: CaseRow, image: ImageRecord, other: str) -> dict[str, Any]:
    """The same picture under another case."""
    return {
        "kind": "repeated",
        "case_id": row.case_id,
        "other_case_id": other,
        "path": row.place,
        "content_hash": image.content_hash,
    }


def duplicate_note(row: CaseRow, kept: ImageRecord, other: ImageRecord) -> dict[str, Any]:
    """The same picture of the same case again."""
    differing = [name for name in _OF_IMAGE if getattr(kept, name) != getattr(other, name)]
    return {
        "kind": "duplicate",
        "case_id": row.case_id,
        "path": row.place,
        "kept": kept.uri,
        "content_hash": kept.content_hash,
        "differs_in": differing,
    }
