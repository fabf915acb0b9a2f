"""Records to rows and back, and the terms that an image can be found by."""

from __future__ import annotations

import hashlib
from typing import Any

from sqlalchemy import Row

from coin_retrieval.catalog.base import CASE_FIELDS, IMAGE_FIELDS
from coin_retrieval.types import (
    CaseRecord,
    DiagnosisCode,
    FileState,
    ImageId,
    ImageRecord,
    Origin,
)


def case_values(case: CaseRecord) -> dict[str, Any]:
    """A case as the columns of its row."""
    return {
        "case_id": case.case_id,
        "folded": case.case_id.casefold(),
        "site": case.site,
        "specimen": case.specimen,
        "stain": case.stain,
        "report": case.report,
        "codes": [[code.system, code.edition, code.code] for code in case.codes],
        "patient_id": case.patient_id,
    }


def case_record(row: Row[Any]) -> CaseRecord:
    """A row of the case table as its record."""
    return CaseRecord(
        case_id=row.case_id,
        site=row.site,
        specimen=row.specimen,
        stain=row.stain,
        report=row.report,
        codes=tuple(DiagnosisCode(*code) for code in row.codes),
        patient_id=row.patient_id,
    )


def image_values(image: ImageRecord, *, row: int, source_id: int) -> dict[str, Any]:
    """An image as the columns of its row."""
    return {
        "row": row,
        "source_id": source_id,
        "size_bytes": image.file.size_bytes,
        "modified_ns": image.file.modified_ns,
        "image_id": int(image.image_id),
        "case_id": image.case_id,
        "uri": image.uri,
        "content_hash": image.content_hash,
        "width_px": image.width_px,
        "height_px": image.height_px,
        "diagnosis": image.diagnosis,
        "finding": image.finding,
        "mpp_um": image.mpp_um,
        "origin": image.origin.value,
        "attributes": dict(image.attributes),
        "slide_id": image.slide_id,
    }


def image_record(row: Row[Any], *, source: str) -> ImageRecord:
    """A row of the image table as its record, read from ``source``."""
    return ImageRecord(
        image_id=ImageId(row.image_id),
        case_id=row.case_id,
        uri=row.uri,
        content_hash=row.content_hash,
        width_px=row.width_px,
        height_px=row.height_px,
        diagnosis=row.diagnosis,
        finding=row.finding,
        mpp_um=row.mpp_um,
        origin=Origin(row.origin),
        attributes=dict(row.attributes),
        file=FileState(source, row.size_bytes, row.modified_ns),
        slide_id=row.slide_id,
    )


def image_terms(case: CaseRecord, image: ImageRecord) -> dict[str, str]:
    """Field → value of all that an image can be found by; empty values are none."""
    terms = {name: str(getattr(case, name)) for name in CASE_FIELDS}
    terms |= {name: str(getattr(image, name)) for name in IMAGE_FIELDS}
    terms |= {"patient_id": case.patient_id, "slide_id": image.slide_id}
    # an attribute that is named like a field never hides the field
    terms = {**image.attributes, **terms}
    return {field: value for field, value in terms.items() if value}


def content_key(content_hash: str) -> int:
    """A content as a signed 64-bit number: the head of its hash."""
    return _signed(bytes.fromhex(content_hash[:16]))


def uri_key(uri: str) -> int:
    """A place as a signed 64-bit number."""
    return _signed(hashlib.blake2b(uri.encode(), digest_size=8).digest())


def _signed(eight: bytes) -> int:
    return int.from_bytes(eight, "little", signed=True)
