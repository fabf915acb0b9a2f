"""What ``coin calibrate`` says to people."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from coin_retrieval.archive.calibration import Calibration
from coin_retrieval.calibrating.calibration import CalibrationFigures, ChoiceFigures


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
        table.add_row(
            choice.name,
            str(choice.precision),
            _difference(choice),
            Text(choice.chosen),
            f"{choice.agreeing_folds} of {figures.folds} folds",
            style="bold" if choice.difference is None else "",
        )
    console.print(table)
    for mode, close in calibration.close_match.items():
        console.print(
            f"{mode.value}: no close match below {close.threshold:.3f}; "
            f"{close.false_alarm_rate:.1%} of queries with a match fall below",
            markup=False,
        )
    said = f"searches of {archive} now use {figures.choices[0].chosen}"
    console.print(said if written else "nothing was written (--dry-run)", markup=False)


def _difference(choice: ChoiceFigures) -> Text:
    """Bold where the interval holds no 0."""
    found = choice.difference
    if found is None:
        return Text("")
    clear = found.low > 0 or found.high < 0
    return Text(
        f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})", "bold" if clear else ""
    )
