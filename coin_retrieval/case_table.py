"""Manifests of cases: the CSV or Parquet tables that name images and what is known of them."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from coin_retrieval.errors import CaseTableError, MissingDependencyError

MANIFEST = "cases.csv"
"""What a folder's own manifest is called."""

REQUIRED = ("image_path", "case_id")
IDENTITIES = ("patient_id", "slide_id")
"""Whose cells a picture shows, and on which slide: known, evidence is counted by them."""
_TEXTS = ("site", "specimen", "stain", "diagnosis", "finding", "report", *IDENTITIES)
KNOWN = (*REQUIRED, *_TEXTS, "mpp_um", "origin")
_FILTERED = frozenset({"case_id", "origin", *_TEXTS} - {"report"})
SUFFIXES = frozenset({".csv", ".parquet"})


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One image of a manifest; ``image_path`` is resolved against the manifest's folder.

    ``attributes`` holds the columns that are not :data:`KNOWN`, empty values left out.
    ``patient_id`` belongs to the case, ``slide_id`` to the picture.
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


def read_case_table(path: Path) -> Iterator[CaseRow]:
    """Rows of a CSV (UTF-8, with or without BOM) or Parquet manifest, in file order.

    Raises:
        CaseTableError: missing or unreadable file, missing columns, an empty ``image_path`` or
            ``case_id``, or an ``mpp_um`` that is no positive number; the message names the row.
    """
    for number, raw in enumerate(_raw_rows(path), start=2):
        yield _parse(raw, path, number)


def _raw_rows(path: Path) -> Iterator[dict[str, str]]:
    if path.suffix.lower() == ".parquet":
        yield from _parquet_rows(path)
        return
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            _require_columns(reader.fieldnames or [], path)
            for row in reader:
                yield {key: (value or "").strip() for key, value in row.items() if key}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CaseTableError(
            f"manifest cannot be read ({error})",
            value=str(path),
            expected="a UTF-8 CSV file with a header line",
            remedy="save the table as CSV UTF-8, or as Parquet",
        ) from error


def _parquet_rows(path: Path) -> Iterator[dict[str, str]]:
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError as error:
        raise MissingDependencyError(
            "Parquet needs pyarrow", remedy="pip install pyarrow"
        ) from error
    try:
        table = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        raise CaseTableError(
            f"manifest cannot be read ({error})", value=str(path), expected="a Parquet file"
        ) from error
    _require_columns(table.schema_arrow.names, path)
    for batch in table.iter_batches(batch_size=4096):
        for row in batch.to_pylist():
            yield {key: "" if value is None else str(value).strip() for key, value in row.items()}


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
                f"{path}, row {number}: {name} is empty",
                expected="a value",
                remedy="fill it or drop the row",
            )
    named = {key: raw.get(key, "") for key in _TEXTS}
    return CaseRow(
        image_path=path.parent / raw["image_path"],
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
            f"{path}, row {number}: mpp_um is not a scale",
            value=text,
            expected="micrometres a pixel, a positive number such as 0.25",
            remedy="leave it empty if the scale is unknown",
        )
    return value
