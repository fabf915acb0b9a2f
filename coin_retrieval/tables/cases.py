"""Manifests of cases: the tables that name images and what is known of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from coin_retrieval.errors import CaseTableError
from coin_retrieval.images.containers.urls import beside
from coin_retrieval.tables.files import columns_of, form_of, read_rows
from coin_retrieval.types import RgbImage

MANIFEST = "cases.csv"
"""What a folder's own manifest is called."""

REQUIRED = ("image_path", "case_id")
IDENTITIES = ("patient_id", "slide_id")
"""Whose cells a picture shows, and on which slide: known, evidence is counted by them."""
_TEXTS = ("site", "specimen", "stain", "diagnosis", "finding", "report", *IDENTITIES)
KNOWN = (*REQUIRED, *_TEXTS, "mpp_um", "origin")
_FILTERED = frozenset({"case_id", "origin", *_TEXTS} - {"report"})


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One image of a manifest; ``image_path`` is resolved against the manifest's folder.

    ``attributes`` holds the columns that are not :data:`KNOWN`, empty values left out.
    ``patient_id`` belongs to the case, ``slide_id`` to the picture. ``part`` says which picture of
    the file is meant, if it holds several (:mod:`coin_retrieval.images.containers.parts`),
    ``left_out`` why it shall not be indexed, if it shall not; ``unfit`` says the same of its
    pixels.
    """

    image_path: Path
    case_id: str
    site: str = ""
    specimen: str = ""
    stain: str = ""
    diagnosis: str = ""
    finding: str = ""
    report: str = ""
    mpp_um: float | None = None
    origin: str = "real"
    attributes: Mapping[str, str] = field(default_factory=dict)
    patient_id: str = ""
    slide_id: str = ""
    part: str = ""
    left_out: str = ""
    unfit: Callable[[RgbImage], str] | None = None

    @property
    def place(self) -> str:
        """Its file, and which part of it, for people."""
        return f"{self.image_path}#{self.part}" if self.part else str(self.image_path)

    def value(self, name: str) -> str:
        """What a filter compares: a field, or a further column; ``""`` where there is none."""
        own = name in _FILTERED
        return str(getattr(self, name)) if own else self.attributes.get(name, "")

    def fits(self, where: Mapping[str, Sequence[str]]) -> bool:
        """As a catalog filters: fields joined by AND, values by OR, whatever their letter case."""
        return all(
            self.value(name).casefold() in {value.casefold() for value in values}
            for name, values in where.items()
        )


def read_case_table(path: Path, columns: Mapping[str, str] | None = None) -> Iterator[CaseRow]:
    """Rows of a manifest, in file order: CSV in any common form, .xlsx, .jsonl or Parquet.

    Args:
        columns: what a column is called there, by our name for it.

    Raises:
        CaseTableError: missing or unreadable file, missing columns, an empty ``image_path`` or
            ``case_id``, or an ``mpp_um`` that is no positive number; the message names the line.
    """
    form = form_of(path)
    ours = _renamed(columns_of(path, form), columns or {}, path)
    _require_columns([ours.get(name, name) for name in columns_of(path, form)], path)
    for line, raw in read_rows(path, form):
        yield _parse({ours.get(name, name): value for name, value in raw.items()}, path, line)


def _renamed(columns: Sequence[str], wanted: Mapping[str, str], path: Path) -> dict[str, str]:
    """Our name of each column that is called otherwise."""
    for name, called in wanted.items():
        if called not in columns:
            raise CaseTableError(
                f"{path} has no column for {name}",
                value=called,
                expected=f"one of {', '.join(columns)}",
                remedy="correct the mapping",
            )
        if name in columns and name not in wanted.values():
            raise CaseTableError(
                f"{path} has a column {name} already",
                value=f"{name}={called}",
                expected="a name that no column has",
                remedy=f"leave the mapping of {name} out, or rename its column",
            )
    return {called: name for name, called in wanted.items()}


def _require_columns(columns: Sequence[str], path: Path) -> None:
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise CaseTableError(
            f"{path} lacks the column{'s' if len(missing) > 1 else ''} {', '.join(missing)}",
            value=list(columns),
            expected=f"at least {', '.join(REQUIRED)}; also read: {', '.join(KNOWN[2:])}",
            remedy="rename or add the columns in the manifest",
        )


def _parse(raw: Mapping[str, str], path: Path, number: int) -> CaseRow:
    for name in REQUIRED:
        if not raw.get(name):
            raise CaseTableError(
                f"{path}, line {number}: {name} is empty",
                expected="a value",
                remedy="fill it or drop the row",
            )
    try:
        "".join(raw.values()).encode()
    except UnicodeEncodeError as error:
        raise CaseTableError(
            f"{path}, line {number}: half of a character",
            value=ascii(error.object[error.start]),
            expected="text that can be written as UTF-8",
            remedy="write the file again, as UTF-8 without escapes of surrogates",
        ) from error
    named: dict[str, Any] = {key: raw.get(key, "") for key in _TEXTS}
    return CaseRow(
        image_path=beside(path, raw["image_path"]),
        case_id=raw["case_id"],
        mpp_um=_positive(raw.get("mpp_um", ""), path, number),
        origin=raw.get("origin") or "real",
        attributes={key: value for key, value in raw.items() if key not in KNOWN and value},
        **named,
    )


def _positive(text: str, path: Path, number: int) -> float | None:
    if not text:
        return None
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value > 0:
        raise CaseTableError(
            f"{path}, line {number}: mpp_um is not a scale",
            value=text,
            expected="micrometres a pixel, a positive number such as 0.25",
            remedy="leave it empty if the scale is unknown",
        )
    return value
