"""``coin study``: readers judge blinded pictures; made here, read in coin-serve, analysed here."""

from __future__ import annotations

import csv
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coin_retrieval.cli import options
from coin_retrieval.console.errors import JsonOption
from coin_retrieval.errors import InputError
from coin_retrieval.study.kind import Kind

if TYPE_CHECKING:
    from coin_retrieval.study.models import Reading

study_app = typer.Typer(help="Reader studies: create, export, analyse.", no_args_is_help=True)

Database = Annotated[
    str, typer.Argument(help="A file, or the URL of a database (postgresql+psycopg://…).")
]


@study_app.command()
def create(
    archive: options.ArchivePath,
    database: Database,
    kind: Annotated[
        Kind, typer.Option(help="Diagnosis without and with retrieval, or real or drawn.")
    ] = Kind.DIAGNOSIS,
    drawn: Annotated[
        Path | None,
        typer.Option(help="Manifest of drawn pictures (coin generate --out): real-or-drawn."),
    ] = None,
    readers: Annotated[int, typer.Option(min=1, max=200, help="A link each.")] = 2,
    pictures: Annotated[int, typer.Option(min=2, max=2000, help="At most, balanced.")] = 60,
    by: Annotated[
        str | None, typer.Option(help="The label: diagnosis or finding; default by the kind.")
    ] = None,
    cases: Annotated[int, typer.Option(min=1, max=20, help="That retrieval shows.")] = 5,
    washout_days: Annotated[
        float, typer.Option(min=0, help="Between the periods; 28 as in radiology's studies.")
    ] = 28,
    title: Annotated[str, typer.Option(help="What readers see above.")] = "Reader study",
    address: Annotated[
        str, typer.Option(help="Of the server: the links begin with it.")
    ] = "http://127.0.0.1:8000",
    seed: Annotated[int, typer.Option(min=0, help="Of every lot that is drawn.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Choose and blind the pictures, draw lots for the order, and give each reader a link.

    The links are told once. Serve the study with coin-serve ARCHIVE --study DATABASE.
    """
    from coin_retrieval.cli.opening import open_retriever
    from coin_retrieval.console.bars import showing
    from coin_retrieval.console.session import print_json
    from coin_retrieval.factory import open_archive
    from coin_retrieval.study.making import diagnosis_study, real_or_drawn_study
    from coin_retrieval.study.store import database_of, make_study
    from coin_retrieval.tables.cases import read_case_table

    if kind is Kind.REAL_OR_DRAWN:
        if drawn is None:
            raise InputError(
                "a study of real or drawn needs drawn pictures",
                expected="--drawn with a manifest that coin generate --out wrote",
                remedy="coin generate --composed 10 --out drawn",
            )
        with open_archive(archive) as opened:
            plan, shown = real_or_drawn_study(
                opened, list(read_case_table(drawn)), title=title, pictures=pictures,
                by=by or "finding", seed=seed,
            )  # fmt: skip
    else:
        retriever = open_retriever(archive)
        with retriever.archive, showing(quiet=as_json) as on:
            plan, shown = diagnosis_study(
                retriever, title=title, pictures=pictures, by=by or "diagnosis", help_cases=cases,
                washout_days=washout_days, seed=seed, on=on,
            )  # fmt: skip
    tokens = make_study(database_of(database), plan, shown, readers=readers, seed=seed)
    links = {code: f"{address.rstrip('/')}/study#{token}" for code, token in tokens.items()}
    if as_json:
        print_json({"pictures": len(plan.items), "choices": list(plan.choices), "links": links})
        return
    typer.echo(f"{len(plan.items)} pictures, {len(plan.choices)} answers. The links, told once:")
    for code, link in links.items():
        typer.echo(f"{code}\t{link}")


@study_app.command()
def export(
    database: Database,
    out: Annotated[Path | None, typer.Option(help="A CSV file; default: stdout.")] = None,
) -> None:
    """Every answer as a row of a CSV: what was shown, what it was, what was answered."""
    from coin_retrieval.study.models import Reading
    from coin_retrieval.study.store import StudyStore, database_of

    with StudyStore(database_of(database)) as store:
        rows = [_row(reading) for reading in store.study().readings]
    columns = list(Reading.model_fields)
    with out.open("w", newline="", encoding="utf-8") if out else nullcontext(sys.stdout) as stream:
        table = csv.DictWriter(stream, columns)
        table.writeheader()
        table.writerows(rows)


@study_app.command()
def analyse(
    database: Database,
    out: Annotated[
        Path | None, typer.Option(help="Directory for study.md, study.json and a plot.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Gains with paired intervals, by diagnosis and by how rare it is, agreement and time."""
    from coin_retrieval.cli.evaluate.results import show
    from coin_retrieval.evaluation.extras import require_classifier, require_plots
    from coin_retrieval.study.analysis import analyse as figures_of
    from coin_retrieval.study.report import PLOT, plot_png, to_markdown
    from coin_retrieval.study.store import StudyStore, database_of

    require_classifier()
    if out is not None:
        require_plots()
    with StudyStore(database_of(database)) as store:
        found = figures_of(store.study(), seed=seed)
    show(
        found, to_markdown(found), name="study", out=out, as_json=as_json,
        pictures={PLOT: lambda: plot_png(found)},
    )  # fmt: skip


def _row(reading: Reading) -> dict[str, object]:
    row = reading.model_dump(mode="json")
    return {**row, "answers": " | ".join(reading.answers)}
