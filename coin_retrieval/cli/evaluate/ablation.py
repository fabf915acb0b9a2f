"""``coin evaluate ablation``: what does each step of building a query bring?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coin_retrieval.cli.query_options import QUERIES_HELP
from coin_retrieval.console.errors import JsonOption
from coin_retrieval.limits import MAX_PROTOTYPES, MAX_SEED


def ablation(
    archive: Annotated[Path, typer.Argument(help="An archive that coin-index built.")],
    queries: Annotated[Path | None, typer.Option(help=QUERIES_HELP)] = None,
    where: Annotated[
        list[str] | None, typer.Option(help="FIELD=VALUE, repeatable: search only these.")
    ] = None,
    by: Annotated[str, typer.Option(help="The label: finding or diagnosis.")] = "finding",
    k: Annotated[int, typer.Option("-k", min=1, help="How many places count.")] = 10,
    prototypes: Annotated[
        int,
        typer.Option(
            min=1,
            max=MAX_PROTOTYPES,
            help="Pictures drawn a report: up to 1, 2, 4, 8 are tried.",
        ),
    ] = 8,
    seed: Annotated[int, typer.Option(min=0, max=MAX_SEED, help="Of the first picture.")] = 0,
    generator: Annotated[
        str | None, typer.Option(help="Which generator; default COIN_GENERATOR, else starter.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Directory for ablation.json and ablation.md.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """P@k by prototypes, fusion, corrections, whitening and weight, one changed at a time."""
    from coin_retrieval.cli.evaluate.results import show
    from coin_retrieval.cli.opening import open_retriever
    from coin_retrieval.console.bars import showing
    from coin_retrieval.console.inputs import parse_where
    from coin_retrieval.evaluation.retrieval.ablation import ablate, to_markdown
    from coin_retrieval.wordings.labelled_reports import labelled_reports

    asked, allowed = labelled_reports(queries, by=by), parse_where(where or [])
    retriever = open_retriever(archive, generator=generator)
    with retriever.archive, showing(quiet=as_json) as on:
        figures = ablate(
            retriever, asked, by=by, where=allowed, k=k, prototypes=prototypes, seed=seed, on=on
        )
    show(figures, to_markdown(figures), name="ablation", out=out, as_json=as_json)
