"""``coin generate``: draw a report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from coin_retrieval.cli.errors import JsonOption
from coin_retrieval.cli.limits import MAX_SEED


def generate(
    report: Annotated[str | None, typer.Option(help="The report's text.")] = None,
    report_file: Annotated[
        Path | None, typer.Option(help="A text file with the report; - reads standard input.")
    ] = None,
    n: Annotated[int, typer.Option("-n", help="How many pictures.")] = 4,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="Picture i is drawn from seed + i.")
    ] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Where to put the pictures; else they stay in the cache.")
    ] = None,
    as_json: JsonOption = False,
    generator: Annotated[
        str | None, typer.Option(help="Which generator; default COIN_GENERATOR, else starter.")
    ] = None,
) -> None:
    """Draw synthetic prototypes of a report. They are nobody's cells, and are marked so."""
    from coin_retrieval.cli.inputs import report_text
    from coin_retrieval.cli.session import print_json, working
    from coin_retrieval.cli.settings import read_environment

    text = report_text(report, report_file)
    environment = read_environment()
    with working("drawing"):
        from coin_retrieval.factory import make_drawer, parse_generator

        chosen = parse_generator(generator or environment.generator)
        drawing = make_drawer(chosen, cache_dir=environment.prototype_dir).draw(
            text, n=n, seed=seed
        )
    if out is not None:
        from coin_retrieval.cli.saving import save_prototypes

        drawing = replace(drawing, prototypes=save_prototypes(out, drawing.prototypes))
    if as_json:
        from coin_retrieval.retrieval.answer import to_drawing_answer

        print_json(to_drawing_answer(drawing).model_dump(mode="json"))
        return
    from rich.console import Console

    from coin_retrieval.cli.tables import show_dropped, show_prototypes, show_timings

    console = Console()
    show_prototypes(console, drawing.prototypes)
    show_dropped(console, drawing.dropped_text)
    show_timings(console, drawing.timings_ms)
