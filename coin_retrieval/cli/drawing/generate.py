"""``coin generate``: draw a report, or a whole set of reports with their labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from coin_retrieval.cli import options
from coin_retrieval.console.errors import JsonOption
from coin_retrieval.errors import InputError
from coin_retrieval.limits import DEFAULT_PROTOTYPES, MAX_SEED

_OF_A_REPORT = DEFAULT_PROTOTYPES
_OF_A_COMPOSED_REPORT = 1


def generate(
    report: Annotated[str | None, typer.Option(help="The report's text.")] = None,
    report_file: Annotated[
        Path | None, typer.Option(help="A text file with the report; - reads standard input.")
    ] = None,
    reports: Annotated[
        Path | None,
        typer.Option(help="CSV of reports: report, and finding, diagnosis, site …; needs --out."),
    ] = None,
    composed: Annotated[
        int | None,
        typer.Option(min=1, help="Compose so many reports a finding, in the training's wordings."),
    ] = None,
    like: Annotated[
        list[Path] | None,
        typer.Option(help="Compose a report for each picture of this manifest; repeatable."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(help="FIELD=VALUE, repeatable: only these of --like or --composed."),
    ] = None,
    n: Annotated[
        int | None,
        typer.Option("-n", help="How many pictures a report. Default: 4; 1 if it is composed."),
    ] = None,
    seed: Annotated[
        int,
        typer.Option(
            min=0, max=MAX_SEED, help="Picture i is drawn from seed + i; of a set: + 64 a report."
        ),
    ] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Where to put the pictures; else they stay in the cache.")
    ] = None,
    as_json: JsonOption = False,
    generator: options.GeneratorName = None,
) -> None:
    """Draw synthetic prototypes of a report. They are nobody's cells, and are marked so.

    With --reports, --composed or --like a set is drawn: pictures and a cases.csv with their labels,
    as coin evaluate takes it. The same command resumes a set that was interrupted.
    """
    from coin_retrieval.console.environment import read_environment

    _require_one(report=report, report_file=report_file, reports=reports, composed=composed,
                 like=like or None)  # fmt: skip
    environment = read_environment()
    chosen = generator or environment.generator
    if report is None and report_file is None:
        from coin_retrieval.cli.drawing.sets import cases_to_draw, draw_cases, show_set
        from coin_retrieval.console.session import print_json

        if out is None:
            raise InputError("a set needs a place", expected="--out DIRECTORY")
        cases = cases_to_draw(reports, composed, like, where, seed=seed)
        drawn = draw_cases(
            cases,
            out,
            generator=chosen,
            n=_first(n, _OF_A_REPORT if reports else _OF_A_COMPOSED_REPORT),
            seed=seed,
            quiet=as_json,
        )
        if as_json:
            print_json(drawn.model_dump(mode="json"))
        else:
            show_set(drawn)
        return
    if where:
        raise InputError("--where needs a set", expected="--where with --composed or --like")
    _draw_one(
        report,
        report_file,
        chosen,
        environment.prototype_dir,
        n=_first(n, _OF_A_REPORT),
        seed=seed,
        out=out,
        as_json=as_json,
    )


def _first(n: int | None, otherwise: int) -> int:
    return otherwise if n is None else n


def _require_one(**given: object) -> None:
    named = [name for name, value in given.items() if value is not None]
    if len(named) > 1 or not named:
        raise InputError(
            "give what to draw once",
            value=" and ".join(f"--{name.replace('_', '-')}" for name in named) or "nothing",
            expected="one of --report, --report-file, --reports, --composed and --like",
        )


def _draw_one(
    report: str | None,
    report_file: Path | None,
    generator: str,
    cache_dir: Path,
    *,
    n: int,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> None:
    from coin_retrieval.console.bars import showing
    from coin_retrieval.console.inputs import report_text
    from coin_retrieval.console.session import print_json, working

    text = report_text(report, report_file)
    with working("loading the generator"):
        from coin_retrieval.factory import make_drawer, parse_generator

        drawer = make_drawer(parse_generator(generator), cache_dir=cache_dir)
    with showing(quiet=as_json) as on:
        drawing = drawer.draw(text, n=n, seed=seed, on=on)
    if out is not None:
        from coin_retrieval.presenting.saving import save_prototypes

        drawing = replace(drawing, prototypes=save_prototypes(out, drawing.prototypes))
    from coin_retrieval.presenting.answering import to_drawing_answer

    answer = to_drawing_answer(drawing)
    if as_json:
        print_json(answer.model_dump(mode="json"))
        return
    from rich.console import Console

    from coin_retrieval.cli.tables import (
        show_dropped,
        show_prototypes,
        show_spelling,
        show_timings,
    )

    console = Console()
    for notice in answer.notices:
        console.print(f"[bold yellow]{notice}.[/]")
    show_spelling(console, answer)
    show_prototypes(console, answer.prototypes)
    show_dropped(console, answer.dropped_text)
    show_timings(console, answer.timings_ms)
