"""Reports whose true label is known: a user's own, or the held-out wordings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from coin_retrieval.errors import InputError
from coin_retrieval.wordings.captions import held_out_reports, load_lexicon
from coin_retrieval.wordings.report_table import read_report_table


@dataclass(frozen=True, slots=True)
class LabelledReport:
    """A report and the label that relevant pictures carry.

    ``case_id`` is the case that the report was written for: it is left out of what is found.
    """

    report: str
    label: str
    case_id: str = ""


def labelled_reports(path: Path | None, *, by: str = "finding") -> list[LabelledReport]:
    """The reports of a CSV with the columns ``report`` and ``by``; ``None``: the held-out wordings.

    Raises:
        InputError: no such label.
        CaseTableError: as :func:`.read_report_table` does, or the label's column is missing.
    """
    require_label(by)
    if path is not None:
        rows = read_report_table(path, needed=(by,))
        return [LabelledReport(row.report, getattr(row, by), row.case_id) for row in rows]
    return [
        LabelledReport(report, name if by == "finding" else words.diagnosis)
        for name, words in load_lexicon().findings.items()
        for report in held_out_reports()[name]
    ]


def independent_units(reports: Sequence[LabelledReport]) -> list[str]:
    """The case that each report comes from, or a name of its own: what is resampled together."""
    return [report.case_id or f"query {number}" for number, report in enumerate(reports)]


def require_label(by: str) -> None:
    """Refuse what is no label of a picture.

    Raises:
        InputError: neither ``finding`` nor ``diagnosis``.
    """
    if by not in ("finding", "diagnosis"):
        raise InputError("no such label", value=by, expected="finding or diagnosis")
