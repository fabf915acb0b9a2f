"""Reports whose true label is known: a user's own, or the held-out wordings."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coin_retrieval.errors import CaseTableError
from coin_retrieval.wordings.captions import held_out_reports, load_lexicon

LABELS = ("finding", "diagnosis")
"""Fields of a picture that may be the label."""


@dataclass(frozen=True, slots=True)
class LabelledReport:
    """A report and the label that relevant pictures carry.

    ``case_id`` is the case that the report was written for: it is left out of what is found.
    """

    report: str
    label: str
    case_id: str = ""


def labelled_reports(path: Path | None, *, by: str) -> list[LabelledReport]:
    """The reports of a CSV with the columns ``report`` and ``by``; ``None``: the held-out wordings.

    Raises:
        CaseTableError: the file cannot be read, or lacks a column.
    """
    return _read(path, by) if path else _held_out(by)


def independent_units(reports: Sequence[LabelledReport]) -> list[str]:
    """The case that each report comes from, or a name of its own: what is resampled together."""
    return [report.case_id or f"query {number}" for number, report in enumerate(reports)]


def _held_out(by: str) -> list[LabelledReport]:
    findings = load_lexicon().findings
    return [
        LabelledReport(report, name if by == "finding" else words.diagnosis)
        for name, words in findings.items()
        for report in held_out_reports()[name]
    ]


def _read(path: Path, by: str) -> list[LabelledReport]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CaseTableError(
            f"queries cannot be read ({error})", value=str(path), expected="a UTF-8 CSV file"
        ) from error
    if not rows or "report" not in rows[0] or by not in rows[0]:
        raise CaseTableError(
            "queries lack a column",
            value=list(rows[0]) if rows else "no rows",
            expected=f"the columns report and {by}",
            remedy="name the report's text and its true label, one query a row",
        )
    return [
        LabelledReport(
            row["report"] or "", (row[by] or "").strip(), (row.get("case_id") or "").strip()
        )
        for row in rows
    ]
