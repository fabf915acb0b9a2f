"""``coin generate`` of whole sets: which reports are drawn, and the drawing with a bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from coin_retrieval.case_table import CaseRow
from coin_retrieval.errors import InputError

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
    from numpy.random import default_rng

    from coin_retrieval.wordings.captions import compose_report

    random = default_rng(seed)
    rows = _of_pictures(like, where) if like else _of_findings(composed or 1, where)
    return [replace(row, report=compose_report(row, random)) for row in rows]


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


def _of_pictures(sources: Sequence[Path], where: list[str] | None) -> list[CaseRow]:
    from coin_retrieval.cli.picture_options import select

    return list(select(sources, where).labelled("finding").rows)


def _of_findings(each: int, where: list[str] | None) -> list[CaseRow]:
    from coin_retrieval.console.inputs import parse_where
    from coin_retrieval.wordings.captions import load_lexicon

    rows = [
        CaseRow(
            Path(),
            "",
            site=words.site,
            specimen=words.specimen,
            stain=words.stain,
            diagnosis=words.diagnosis,
            finding=finding,
        )
        for finding, words in sorted(load_lexicon().findings.items())
    ]
    kept = [row for row in rows if _fits(row, parse_where(where or []))]
    if not kept:
        raise InputError(
            "no finding is left to compose reports of",
            value=where,
            expected="a site, specimen, stain, diagnosis or finding of the training lexicon",
        )
    return [row for row in kept for _ in range(each)]


def _fits(row: CaseRow, where: dict[str, list[str]]) -> bool:
    return all(
        str(getattr(row, field, "")).casefold() in {value.casefold() for value in values}
        for field, values in where.items()
    )
