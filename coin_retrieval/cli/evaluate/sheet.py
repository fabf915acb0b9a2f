"""``coin evaluate sheet``: reports, prototypes and real pictures side by side, to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coin_retrieval.cli import options
from coin_retrieval.cli.evaluate.picture_options import Where, select
from coin_retrieval.console.errors import JsonOption
from coin_retrieval.limits import MAX_SEED


def sheet(
    out: Annotated[Path, typer.Option(help="The sheet: FILE.png or FILE.webp; pages get numbers.")],
    queries: Annotated[
        Path | None,
        typer.Option(
            help="CSV: report and the label's column. Default: a held-out wording a finding."
        ),
    ] = None,
    real: Annotated[
        list[Path] | None,
        typer.Option(help="Real pictures; repeatable: manifest or folder. None: drawn ones only."),
    ] = None,
    where: Where = None,
    by: options.By = "finding",
    n: Annotated[int, typer.Option("-n", min=1, max=16, help="Pictures of each kind.")] = 8,
    seed: Annotated[
        int,
        typer.Option(min=0, max=MAX_SEED, help="Of the first drawn picture, and of the choice."),
    ] = 0,
    as_json: JsonOption = False,
    generator: options.GeneratorName = None,
) -> None:
    """Draw each report beside real pictures of its label, ten reports a page."""
    from coin_retrieval.console.bars import showing
    from coin_retrieval.console.environment import read_environment
    from coin_retrieval.console.session import print_json, working
    from coin_retrieval.evaluation.pictures.prototype_sheet import (
        check_sheet_path,
        draw_pages,
        draw_rows,
        save_pages,
    )
    from coin_retrieval.factory import make_drawer, parse_generator
    from coin_retrieval.wordings.report_table import read_report_table

    check_sheet_path(out)
    pictures = select(real, where) if real else None
    asked = read_report_table(queries) if queries is not None else None
    environment = read_environment()
    with working("loading the generator"):
        chosen = parse_generator(generator or environment.generator)
        drawer = make_drawer(
            chosen, cache_dir=environment.prototype_dir, cache_bytes=environment.cache_bytes
        )
    with showing(quiet=as_json) as on:
        rows = draw_rows(drawer, asked, pictures, by=by, n=n, seed=seed, on=on)
    files = [str(file) for file in save_pages(draw_pages(rows, n=n), out)]
    lacking = sorted({row.label for row in rows if pictures and not row.real})
    if as_json:
        print_json(
            {
                "generator": drawer.name,
                "real": pictures.name if pictures else "none",
                "by": by,
                "seed": seed,
                "reports": len(rows),
                "pages": files,
                "without_real_pictures": lacking,
            }
        )
        return
    for file in files:
        typer.echo(file)
    if lacking:
        typer.echo(f"No real picture of: {', '.join(lacking)}.")
