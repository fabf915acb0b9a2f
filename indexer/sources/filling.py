"""What a file says of its pictures, into what a row says of them already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from coin_retrieval.errors import CaseTableError
from coin_retrieval.tables.cases import KNOWN, CaseRow
from coin_retrieval.types import Origin

_ORIGINS = frozenset(origin.value for origin in Origin)
_TEXTS = frozenset(KNOWN) - {"image_path", "case_id", "mpp_um"}
_LONGEST = 500


def filled(row: CaseRow, said: Mapping[str, Any]) -> CaseRow:
    """The row, where it is empty, with what is said by names of a manifest's columns.

    Other names become attributes, if their values are short and no structures.

    Args:
        said: a ``case_id`` replaces the row's own.

    Raises:
        CaseTableError: see :func:`checked`.
    """
    values = {name: _text(value) for name, value in said.items()}
    own: dict[str, Any] = {
        name: value
        for name, value in values.items()
        if value and name in _TEXTS and getattr(row, name) in ("", "real")
    }
    further = {
        name: value
        for name, value in values.items()
        if value and name not in KNOWN and len(value) <= _LONGEST
    }
    return checked(
        replace(
            row,
            **own,
            case_id=values.get("case_id") or row.case_id,
            mpp_um=row.mpp_um or _positive(values.get("mpp_um", "")),
            attributes={**further, **row.attributes},
        )
    )


def checked(row: CaseRow) -> CaseRow:
    """The row itself.

    Raises:
        CaseTableError: an ``origin`` that does not exist, or a ``case_id`` with control characters.
    """
    if row.origin not in _ORIGINS:
        raise CaseTableError(
            f"{row.image_path} has an unknown origin",
            value=row.origin,
            expected=f"one of {', '.join(sorted(_ORIGINS))}, or empty for real",
            remedy="correct the origin: drawn pictures are never mixed in unflagged",
        )
    if not row.case_id.isprintable():
        raise CaseTableError(
            f"a case_id of {row.image_path} holds control characters",
            value=row.case_id,
            expected="printable text",
            remedy="correct the case_id",
        )
    return row


def _text(value: Any) -> str:
    if value is None or isinstance(value, (dict, list, bytes)):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _positive(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if value > 0 else None
