"""How good an archive's searches are, and which way of searching is best, from Python."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

from coin_retrieval.api.arguments import AnyPath
from coin_retrieval.errors import InputError
from coin_retrieval.files import as_path
from coin_retrieval.wordings.labelled_reports import LabelledReport, labelled_reports

if TYPE_CHECKING:
    from pydantic import BaseModel

    from coin_retrieval.calibrating.figures import CalibrationFigures

Queries: TypeAlias = "AnyPath | Iterable[tuple[str, str] | LabelledReport] | None"
"""A CSV of reports with their labels, or (report, label) pairs; ``None``: the held-out wordings."""


class Measured:
    """Figures with their intervals; in a notebook they show themselves as tables."""

    def __init__(self, figures: BaseModel, markdown: str) -> None:
        self.figures = figures
        self._markdown = markdown

    def to_dict(self) -> dict[str, Any]:
        """As the command's ``--json`` prints them."""
        return self.figures.model_dump(mode="json")

    def __repr__(self) -> str:
        return self._markdown

    def _repr_markdown_(self) -> str:
        return self._markdown


def reports_of(queries: Queries, *, by: str) -> list[LabelledReport]:
    """Labelled reports, however they are given.

    Raises:
        InputError: something else, or no such label.
        CaseTableError: a table that cannot be used.
    """
    if queries is None or isinstance(queries, str | PathLike):
        return labelled_reports(None if queries is None else as_path(queries), by=by)
    try:
        return [
            pair if isinstance(pair, LabelledReport) else LabelledReport(*pair) for pair in queries
        ]
    except TypeError as error:
        raise InputError(
            "not labelled reports",
            value=type(queries).__name__,
            expected="the path of a CSV, or pairs of a report and its label",
        ) from error


def calibration_markdown(figures: CalibrationFigures, *, kept: bool) -> str:
    """The choices with their cross-validated figures."""
    lines = [
        f"| choice | P@{figures.k} (95 %) | calibrated − it | chosen | same in |",
        "|---|---|---|---|---|",
    ]
    for one in figures.choices:
        ahead = one.difference.signed_markdown if one.difference else ""
        chosen = one.chosen.replace("|", "/")
        same = f"{one.agreeing_folds} of {figures.folds} folds"
        lines.append(f"| {one.name} | {one.precision} | {ahead} | {chosen} | {same} |")
    what = "kept: searches use it once the archive is opened again" if kept else "nothing was kept"
    return "\n".join([*lines, "", f"{figures.queries} queries; {what}."])
