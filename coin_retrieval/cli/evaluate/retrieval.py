"""``coin evaluate``: how good is it, on your own cases?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coin_retrieval.cli import options
from coin_retrieval.cli.evaluate.ablation import ablation
from coin_retrieval.cli.evaluate.augmentation import augmentation
from coin_retrieval.cli.evaluate.close_match import close_match
from coin_retrieval.cli.evaluate.pairs import pairs
from coin_retrieval.cli.evaluate.pictures import classifier_agreement, images, memorisation
from coin_retrieval.cli.evaluate.sheet import sheet
from coin_retrieval.console.errors import JsonOption

evaluate_app = typer.Typer(help="How good is it, on your own cases?", no_args_is_help=True)
evaluate_app.command()(ablation)
evaluate_app.command()(close_match)
evaluate_app.command()(images)
evaluate_app.command()(memorisation)
evaluate_app.command()(classifier_agreement)
evaluate_app.command()(augmentation)
evaluate_app.command()(sheet)
evaluate_app.command()(pairs)


@evaluate_app.callback()
def _group() -> None: ...


@evaluate_app.command()
def retrieval(
    archive: options.ArchivePath,
    queries: options.Queries = None,
    where: options.SearchWhere = None,
    by: options.By = "finding",
    modes: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated: image, text, prototype, fused. Default: all that are possible."
        ),
    ] = None,
    k: options.Places = 10,
    prototypes: options.Prototypes = None,
    seed: options.FirstSeed = 0,
    out: Annotated[
        Path | None, typer.Option(help="Directory for figures.json, figures.md and plots.")
    ] = None,
    plots: Annotated[bool, typer.Option(help="Draw plots into --out.")] = True,
    as_json: JsonOption = False,
) -> None:
    """Precision, mAP, nDCG, votes and accuracy of every query mode, with 95 % intervals."""
    from coin_retrieval.cli.evaluate.results import show
    from coin_retrieval.cli.opening import open_retriever
    from coin_retrieval.console.bars import showing
    from coin_retrieval.console.inputs import parse_where
    from coin_retrieval.evaluation.extras import require_plots
    from coin_retrieval.evaluation.retrieval.modes import evaluate
    from coin_retrieval.evaluation.retrieval.plots import classes_png, modes_png
    from coin_retrieval.evaluation.retrieval.table import to_markdown
    from coin_retrieval.search.query import Query
    from coin_retrieval.wordings.labelled_reports import labelled_reports

    if out is not None and plots:
        require_plots()
    named = [name.strip() for name in modes.split(",")] if modes else []
    for name in named:
        Query.of(mode=name)
    retriever = open_retriever(archive)
    asked, allowed = labelled_reports(queries, by=by), parse_where(where or [])
    with retriever.archive, showing(quiet=as_json) as on:
        figures = evaluate(
            retriever, asked, modes=named, by=by, where=allowed, k=k, prototypes=prototypes,
            seed=seed, on=on,
        )  # fmt: skip
    drawn = {"modes.png": lambda: modes_png(figures), "classes.png": lambda: classes_png(figures)}
    show(
        figures, to_markdown(figures), name="figures", out=out, as_json=as_json,
        pictures=drawn if plots else None,
    )  # fmt: skip
