"""``coin calibrate``: which way of searching is best on this archive?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coin_retrieval.cli.query_options import QUERIES_HELP
from coin_retrieval.console.errors import JsonOption
from coin_retrieval.console.limits import MAX_SEED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from coin_retrieval.calibrating.case_ranking import Pictures
    from coin_retrieval.calibrating.query_bank import EmbeddedQuery
    from coin_retrieval.search.retriever import Retriever
    from coin_retrieval.types import SearchMode
    from coin_retrieval.wordings.labelled_reports import LabelledReport

K = 10


def calibrate(
    archive: Annotated[Path, typer.Argument(help="An archive that coin-index built.")],
    queries: Annotated[Path | None, typer.Option(help=QUERIES_HELP)] = None,
    by: Annotated[str, typer.Option(help="The label: finding or diagnosis.")] = "finding",
    where: Annotated[
        list[str] | None, typer.Option(help="FIELD=VALUE, repeatable: search only these.")
    ] = None,
    folds: Annotated[int, typer.Option(min=2, help="Of cross-validation.")] = 5,
    prototypes: Annotated[
        int,
        typer.Option(min=1, max=64, help="Pictures drawn a report: up to 1, 2, 4, 8 are tried."),
    ] = 8,
    seed: Annotated[
        int, typer.Option(min=0, max=MAX_SEED, help="Of the first picture, and of the folds.")
    ] = 0,
    generator: Annotated[
        str | None, typer.Option(help="Which generator; default COIN_GENERATOR, else starter.")
    ] = None,
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
    from coin_retrieval.calibrating.calibration import calibrate as choose
    from coin_retrieval.console.bars import showing_bars
    from coin_retrieval.console.inputs import parse_where
    from coin_retrieval.console.session import print_json, working
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
        calibration, figures = choose(
            retriever, bank, pictures, modes=modes, where=allowed, by=by, folds=folds, seed=seed,
            k=K, done=bars("trying", len(bank)),
        )  # fmt: skip
    retriever.archive.close()
    if not dry_run:
        put_calibration(archive, calibration, encoder=retriever.archive.manifest.encoder)
    if as_json:
        kept = calibration.model_dump(mode="json", exclude={"fusion": {"means"}})
        print_json(figures.model_dump(mode="json") | {"calibration": kept, "written": not dry_run})
        return
    from coin_retrieval.cli.calibration_tables import show_calibration

    show_calibration(calibration, figures, archive=archive, written=not dry_run)


def open_uncalibrated(archive: Path, generator: str | None) -> Retriever:
    """A retriever that knows nothing of an earlier calibration: what is tried must not lean on it.

    Raises as :func:`~coin_retrieval.factory.make_retriever` does.
    """
    from coin_retrieval.config import FusionSettings
    from coin_retrieval.console.environment import read_environment
    from coin_retrieval.factory import make_retriever, open_archive, parse_generator

    environment = read_environment()
    return make_retriever(
        open_archive(archive),
        cache_dir=environment.prototype_dir,
        generator=parse_generator(generator or environment.generator),
        fusion=FusionSettings(),
    )


def embed(
    retriever: Retriever,
    asked: Sequence[LabelledReport],
    allowed: dict[str, list[str]],
    *,
    by: str,
    modes: Sequence[SearchMode],
    prototypes: int,
    seed: int,
    bars: Callable[[str, int], Callable[[], None]],
) -> tuple[list[EmbeddedQuery], Pictures]:
    """What every candidate is tried on: answerable queries, embedded once, and the pictures.

    Raises:
        InputError: no picture fits the filter, or no query's label is there.
    """
    from coin_retrieval.calibrating.case_ranking import read_pictures
    from coin_retrieval.calibrating.query_bank import embed_queries
    from coin_retrieval.evaluation.retrieval.modes import RetrievalEvaluation

    answerable = RetrievalEvaluation(retriever, where=allowed, by=by, k=K).answerable(asked)
    pictures = read_pictures(retriever.archive, where=allowed, by=by)
    bank = embed_queries(
        retriever, answerable, modes=modes, prototypes=prototypes, seed=seed,
        done=bars("embedding", len(answerable)),
    )  # fmt: skip
    return bank, pictures
