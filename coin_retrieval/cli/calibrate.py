"""``coin calibrate``: which way of searching is best on this archive?"""

from __future__ import annotations

from typing import Annotated

import typer

from coin_retrieval.cli import options
from coin_retrieval.console.errors import JsonOption
from coin_retrieval.limits import MAX_SEED


def calibrate(
    archive: options.ArchivePath,
    queries: options.Queries = None,
    by: options.By = "finding",
    where: options.SearchWhere = None,
    folds: Annotated[int, typer.Option(min=2, help="Of cross-validation.")] = 5,
    prototypes: options.TriedPrototypes = 8,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="Of the first picture, and of the folds.")
    ] = 0,
    generator: options.GeneratorName = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the figures; leave the archive as it is.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Try every mode, weight, method and correction on labelled reports; keep the best in ARCHIVE.

    Searches then use it by themselves. What is reported is cross-validated: chosen on some queries,
    measured on the others.
    """
    from coin_retrieval.archive.amend import put_calibration
    from coin_retrieval.calibrating import calibrate as choose
    from coin_retrieval.cli.calibration_tables import show_calibration
    from coin_retrieval.cli.opening import open_retriever
    from coin_retrieval.console.bars import showing
    from coin_retrieval.console.inputs import parse_where
    from coin_retrieval.console.session import print_json
    from coin_retrieval.wordings.labelled_reports import labelled_reports

    asked, allowed = labelled_reports(queries, by=by), parse_where(where or [])
    retriever = open_retriever(archive, generator=generator)
    with retriever.archive as opened, showing(quiet=as_json) as on:
        calibration, figures = choose(
            retriever, asked, by=by, where=allowed, folds=folds, prototypes=prototypes, seed=seed,
            on=on,
        )  # fmt: skip
        encoder = opened.manifest.encoder
    if not dry_run:
        put_calibration(archive, calibration, encoder=encoder, recall=figures.recall)
    if as_json:
        kept = calibration.model_dump(mode="json", exclude={"fusion": {"means"}})
        print_json(figures.model_dump(mode="json") | {"calibration": kept, "written": not dry_run})
    else:
        show_calibration(calibration, figures, archive=archive, written=not dry_run)
