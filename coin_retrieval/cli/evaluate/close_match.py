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
    leave_one_label_out: Annotated[
        bool,
        typer.Option(
            "--leave-one-label-out",
            help="Take each label (near) and each site (far) out of the archive, and ask for it.",
        ),
    ] = False,
    mode: Annotated[
        SearchMode | None,
        typer.Option(help="image asks with pictures. Default: what a search of a report takes."),
    ] = None,
    by: options.By = "finding",
    outside_where: Annotated[
        list[str] | None,
        typer.Option(help="FIELD=VALUE, repeatable: only these pictures of --outside."),
    ] = None,
    sample: Annotated[
        int, typer.Option(min=1, help="At most so many pictures of each kind, for mode image.")
    ] = 500,
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
    from coin_retrieval.evaluation.retrieval import closeness, leaving_out, questions_of
    from coin_retrieval.evaluation.retrieval.plots import close_match_png, leaving_out_png
    from coin_retrieval.wordings.captions import held_out_from_elsewhere
    from coin_retrieval.wordings.labelled_reports import labelled_reports

    if out is not None:
        require_plots()
    pictures = mode is SearchMode.IMAGE
    retriever = open_retriever(archive)
    if leave_one_label_out:
        with retriever.archive, showing(quiet=as_json) as on:
            left = (
                leaving_out.leave_out_pictures(retriever, by=by, sample=sample, on=on)
                if pictures
                else leaving_out.leave_out_reports(
                    retriever, labelled_reports(queries, by=by),
                    held_out_from_elsewhere() if queries is None else (), by=by, on=on,
                )
            )  # fmt: skip
        show(
            left, leaving_out.to_markdown(left), name="close_match", out=out, as_json=as_json,
            pictures={"close_match.png": lambda: leaving_out_png(left)},
        )  # fmt: skip
        return
    with retriever.archive as opened:
        with working("reading the queries"):
            inside, others = questions_of(
                opened, queries, outside, pictures=pictures, by=by,
                outside_where=parse_where(outside_where or []), sample=sample,
            )  # fmt: skip
        with showing(quiet=as_json) as on:
            figures = closeness.close_match(retriever, inside, others, mode=mode, on=on)
    show(
        figures, closeness.to_markdown(figures), name="close_match", out=out, as_json=as_json,
        pictures={"close_match.png": lambda: close_match_png(figures)},
    )  # fmt: skip
