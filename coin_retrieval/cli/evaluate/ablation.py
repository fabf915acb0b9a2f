"""``coin evaluate ablation``: what does each step of building a query bring?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coin_retrieval.cli import options
from coin_retrieval.console.errors import JsonOption


def ablation(
    archive: options.ArchivePath,
    queries: options.Queries = None,
    where: options.SearchWhere = None,
    by: options.By = "finding",
    k: options.Places = 10,
    prototypes: options.TriedPrototypes = 8,
    seed: options.FirstSeed = 0,
    generator: options.GeneratorName = None,
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
