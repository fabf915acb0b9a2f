"""Tables of reports with their true labels: what is to be drawn, or asked."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from coin_retrieval.errors import CaseTableError, ReportError
from coin_retrieval.reports.plain import read_report
from coin_retrieval.tables.cases import CaseRow

_KNOWN = ("case_id", "site", "specimen", "stain", "diagnosis", "finding")


def read_report_table(path: Path, *, needed: Sequence[str] = ()) -> list[CaseRow]:
    """Reports of a UTF-8 CSV, tidied, with those of their labels that have a column.

    Each becomes a row of a manifest without a picture: its ``image_path`` is empty.

    Raises:
        CaseTableError: the file cannot be read, has no ``report`` column or no row, or a report
            that cannot be used; the message names the row. ``needed`` are further columns that
            must be there.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            table = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CaseTableError(
            f"reports cannot be read ({error})", value=str(path), expected="a UTF-8 CSV file"
        ) from error
    columns = list(table[0]) if table else []
    if not {"report", *needed} <= set(columns):
        raise CaseTableError(
            "reports lack a column" if table else "there is no report to read",
            value=columns or "no rows",
            expected=f"the columns {', '.join(('report', *needed))}, one report a row; "
            f"also read: {', '.join(_KNOWN)}",
            remedy="name the columns in the first line",
        )
    return [_row(raw, path, number) for number, raw in enumerate(table, start=2)]


def _row(raw: dict[str, str], path: Path, number: int) -> CaseRow:
    try:
        report = read_report(raw["report"] or "").text
    except ReportError as error:
        raise CaseTableError(
            f"{path}, row {number}: {error.problem}",
            value=error.value,
            expected=error.expected,
            remedy="correct the report, or drop the row",
        ) from error
    known: dict[str, Any] = {name: (raw.get(name) or "").strip() for name in _KNOWN}
    return CaseRow(Path(), report=report, mpp_um=None, attributes={}, **known)
