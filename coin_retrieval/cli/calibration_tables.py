"""What ``coin calibrate`` says to people."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from coin_retrieval.archive.measured.calibration import Calibration
from coin_retrieval.calibrating.figures import CalibrationFigures


def show_calibration(
    calibration: Calibration, figures: CalibrationFigures, *, archive: Path, written: bool
) -> None:
    """The choices with their figures, the thresholds, and what was written."""
    console = Console(soft_wrap=True, highlight=False)
    table = Table(
        title=f"Macro P@{figures.k}, cross-validated: {figures.queries} queries of "
        f"{figures.classes} classes, {figures.folds} folds, {figures.candidates} candidates"
    )
    for heading in ("choice", f"P@{figures.k} (95 %)", "calibrated − it", "chosen", "same in"):
        table.add_column(heading)
    for choice in figures.choices:
        found = choice.difference
        table.add_row(
            choice.name,
            str(choice.precision),
            Text(found.signed, "bold" if found.is_clear else "") if found else "",
            Text(choice.chosen),
            f"{choice.agreeing_folds} of {figures.folds} folds",
            style="" if found else "bold",
        )
    console.print(table)
    if close := calibration.close_match:
        console.print(
            f"reports: no close match below {close.threshold:.3f}; "
            f"{close.false_alarm_words} of queries with a match fall below",
            markup=False,
        )
    if figures.too_few:
        console.print(f"{figures.too_few}; it stays as it is", markup=False)
    way = f"mode {calibration.mode.value}" if figures.too_few else figures.choices[0].chosen
    said = f"searches of {archive} {'go on using' if figures.too_few else 'now use'} {way}"
    console.print(said if written else "nothing was written (--dry-run)", markup=False)
