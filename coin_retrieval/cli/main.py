"""``coin`` and its commands. No model library loads before a command needs it."""

from __future__ import annotations

from typing import Annotated

import typer

from coin_retrieval import __version__
from coin_retrieval.cli.calibrate import calibrate
from coin_retrieval.cli.doctor import doctor
from coin_retrieval.cli.drawing.generate import generate
from coin_retrieval.cli.drawing.prototypes import prototypes_app
from coin_retrieval.cli.evaluate.retrieval import evaluate_app
from coin_retrieval.cli.models import models_app
from coin_retrieval.cli.report import report_app
from coin_retrieval.cli.search import search
from coin_retrieval.cli.study import study_app
from coin_retrieval.cli.train import train_app
from coin_retrieval.console.errors import CoinGroup, run

app = typer.Typer(
    cls=CoinGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="Report text → synthetic prototype pictures → nearest real cytology cases.",
)
app.command()(search)
app.command()(generate)
app.command()(calibrate)
app.add_typer(prototypes_app, name="prototypes")
app.add_typer(report_app, name="report")
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(study_app, name="study")
app.add_typer(train_app, name="train")
app.add_typer(models_app, name="models")
app.command()(doctor)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"coin-retrieval {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print it.")
    ] = False,
) -> None: ...


def main() -> None:
    """The program ``coin``."""
    run(app)
