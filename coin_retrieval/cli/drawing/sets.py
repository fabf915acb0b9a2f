"""``coin generate`` of whole sets: which reports are drawn, and the drawing with a bar."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coin_retrieval.errors import InputError
from coin_retrieval.tables.cases import CaseRow

if TYPE_CHECKING:
    from coin_retrieval.prototypes.sets import DrawnSet


def cases_to_draw(
    reports: Path | None,
    composed: int | None,
    like: Sequence[Path] | None,
    where: list[str] | None,
    *,
    seed: int,
) -> list[CaseRow]:
    """The reports of a file, ``composed`` ones a finding, or one for each picture of ``like``.

    Raises:
        InputError: no finding or picture is left by ``where``, or ``where`` with a file.
        CaseTableError: a file that cannot be read, or a finding without words.
        FilterError: an unknown field.
    """
    if reports is not None:
        from coin_retrieval.wordings.report_table import read_report_table

        if where:
            raise InputError(
                "a file of reports takes no filter",
                value=f"--where {where[0]}",
                expected="--where with --composed or --like",
                remedy="keep the rows to draw in the file",
            )
        return read_report_table(reports)
    from coin_retrieval.cli.evaluate.picture_options import select
    from coin_retrieval.console.inputs import parse_where
    from coin_retrieval.evaluation.pictures.picture_sets import require_real
    from coin_retrieval.wordings.captions import compose_reports, finding_rows

    if like:
        return compose_reports(require_real(select(like, where)).labelled("finding").rows, seed)
    rows = finding_rows(parse_where(where or []))
    return compose_reports([row for row in rows for _ in range(composed or 1)], seed)


def draw_cases(
    cases: Sequence[CaseRow], out: Path, *, generator: str, n: int, seed: int, quiet: bool
) -> DrawnSet:
    """Draw a set into ``out``, with a bar; what is there already is not drawn again."""
    from coin_retrieval.console.bars import showing
    from coin_retrieval.console.session import working
    from coin_retrieval.factory import make_drawer, parse_generator
    from coin_retrieval.prototypes.sets import IMAGES, draw_set

    with working("loading the generator"):
        drawer = make_drawer(parse_generator(generator), cache_dir=out / IMAGES)
    with showing(quiet=quiet) as on:
        return draw_set(drawer, cases, out, n=n, seed=seed, on=on)


def show_set(drawn: DrawnSet) -> None:
    """What was drawn, a line a finding."""
    for finding, count in drawn.by_finding.items():
        typer.echo(f"{count:6}  {finding or '(no finding)'}")
    typer.echo(f"{drawn.pictures} drawn pictures of {drawn.reports} reports: {drawn.manifest}")
    if drawn.partly_read:
        typer.echo(f"{drawn.partly_read} reports are longer than the generator reads.")
    if drawn.undrawable:
        typer.echo(f"{drawn.undrawable} reports state what the generator never learned to draw.")
