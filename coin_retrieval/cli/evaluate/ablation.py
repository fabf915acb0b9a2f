"""``coin evaluate ablation``: what does each step of building a query bring?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coin_retrieval.cli.query_options import QUERIES_HELP
from coin_retrieval.console.errors import JsonOption
from coin_retrieval.console.limits import MAX_SEED


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
        typer.Option(min=1, max=64, help="Pictures drawn a report: up to 1, 2, 4, 8 are tried."),
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
    from coin_retrieval.cli.calibrate import embed, open_uncalibrated
    from coin_retrieval.console.bars import showing_bars
    from coin_retrieval.console.inputs import parse_where
    from coin_retrieval.console.session import print_json, working
    from coin_retrieval.evaluation.retrieval.ablation import AblationFigures, ablate, to_markdown
    from coin_retrieval.types import SearchMode
    from coin_retrieval.wordings.labelled_reports import labelled_reports

    asked = labelled_reports(queries, by=by)
    allowed = parse_where(where or [])
    with working("loading the models"):
        retriever = open_uncalibrated(archive, generator)
    modes = [mode for mode in SearchMode if mode in retriever.modes]
    with showing_bars(quiet=as_json) as bars:
        bank, pictures = embed(
            retriever, asked, allowed, by=by, modes=modes, prototypes=prototypes, seed=seed,
            bars=bars,
        )  # fmt: skip
        rows = ablate(retriever, bank, pictures, modes=modes, k=k, done=bars("trying", len(bank)))
    figures = AblationFigures(
        k=k,
        by=by,
        where={field: list(values) for field, values in allowed.items()},
        queries=len(bank),
        classes=len({query.asked.label for query in bank}),
        encoder=str(retriever.archive.manifest.encoder),
        generator=retriever.generator_name or "",
        seed=seed,
        rows=rows,
    )
    retriever.archive.close()
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "ablation.json").write_text(figures.model_dump_json(indent=2) + "\n", "utf-8")
        (out / "ablation.md").write_text(to_markdown(figures), "utf-8")
    if as_json:
        print_json(figures.model_dump(mode="json"))
    else:
        typer.echo(to_markdown(figures))
