"""``coin evaluate close-match``: does the archive know what it does not hold?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coin_retrieval.cli import options
from coin_retrieval.console.errors import JsonOption
from coin_retrieval.types import SearchMode


def close_match(
    archive: options.ArchivePath,
    queries: Annotated[
        Path | None,
        typer.Option(
            help="CSV as for coin evaluate retrieval; for mode image a manifest of pictures. "
            "Default: the held-out wordings, or the archive's own pictures."
        ),
    ] = None,
    outside: Annotated[
        Path | None,
        typer.Option(
            help="The same, of what the archive does not hold. Default: those of the queries "
            "whose label it lacks."
        ),
    ] = None,
    mode: Annotated[
        SearchMode | None, typer.Option(help="Default: what a search of a report takes.")
    ] = None,
    by: options.By = "finding",
    outside_where: Annotated[
        list[str] | None,
        typer.Option(help="FIELD=VALUE, repeatable: only these pictures of --outside."),
    ] = None,
    sample: Annotated[
        int, typer.Option(min=1, help="At most so many pictures of each kind, for mode image.")
    ] = 500,
    prototypes: options.Prototypes = None,
    seed: options.FirstSeed = 0,
    generator: options.GeneratorName = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Directory for close_match.json, close_match.md and close_match.png."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """How well "no close match" tells what the archive lacks: AUROC, false alarms, detections."""
    from coin_retrieval.cli.evaluate.results import show
    from coin_retrieval.cli.opening import open_retriever
    from coin_retrieval.console.bars import showing
    from coin_retrieval.console.inputs import parse_where
    from coin_retrieval.console.session import working
    from coin_retrieval.evaluation.extras import require_plots
    from coin_retrieval.evaluation.retrieval import closeness, questions_of
    from coin_retrieval.evaluation.retrieval.plots import close_match_png

    if out is not None:
        require_plots()
    retriever = open_retriever(archive, generator=generator)
    with retriever.archive as opened:
        with working("reading the queries"):
            inside, others = questions_of(
                opened, queries, outside, pictures=mode is SearchMode.IMAGE, by=by,
                outside_where=parse_where(outside_where or []), sample=sample,
            )  # fmt: skip
        with showing(quiet=as_json) as on:
            figures = closeness.close_match(
                retriever, inside, others, mode=mode,
                prototypes=prototypes, seed=seed, on=on,
            )  # fmt: skip
    show(
        figures, closeness.to_markdown(figures), name="close_match", out=out, as_json=as_json,
        pictures={"close_match.png": lambda: close_match_png(figures)},
    )  # fmt: skip
