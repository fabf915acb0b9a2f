"""``coin-index build`` and ``add``: options in, the report out."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from coin_retrieval.console.errors import JsonOption
from coin_retrieval.setting_forms import CATALOG_FORMS, ENCODER_FORMS, STORE_FORMS
from indexer import add as add_to_archive
from indexer import build as build_archive
from indexer.cli.source_options import reads_sources

if TYPE_CHECKING:
    from coin_retrieval.progress import Progress
    from indexer.building import BuildReport

ArchiveArgument = Annotated[Path, typer.Argument(metavar="ARCHIVE", help="The archive's folder.")]
SourcesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="SOURCE…",
        help="Folders, manifests of cases (.csv, .xlsx, .jsonl, .parquet), or files that hold "
        "several pictures: slides, DICOM instances, tars.",
    ),
]


@reads_sources
def build(
    archive: ArchiveArgument,
    sources: SourcesArgument,
    encoder: Annotated[
        str | None,
        typer.Option(
            help="What embeds; by default the archive's own, or COIN_ENCODER, or starter. "
            f"One of {ENCODER_FORMS}."
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            "--index",
            help=f"{STORE_FORMS}; by default the archive's own, or auto, which is exact while that "
            "is fast.",
        ),
    ] = None,
    catalog: Annotated[
        str | None,
        typer.Option(help=f"{CATALOG_FORMS}; by default the archive's own, or sqlite."),
    ] = None,
    drop: Annotated[
        bool, typer.Option("--drop", help="Let cases go that SOURCE… does not name, however many.")
    ] = False,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="What embeds: this process, or Ray, on all GPUs or processors."),
    ] = "local",
    normalise: Annotated[
        Literal["auto", "stain", "never"],
        typer.Option(
            help="Another laboratory's pictures: move their colours to those that the starter "
            "knows (stain), or try that and another scale on the findings that are named, and keep "
            "what surely finds more (auto; an archive keeps what it began with).",
        ),
    ] = "auto",
    as_json: JsonOption = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Index SOURCE… as ARCHIVE's next version: it then holds exactly these cases.

    Pictures that were embedded before are not again. A build that was stopped resumes.
    """
    from coin_retrieval.console.environment import read_environment
    from coin_retrieval.named_settings import STARTER

    _report(
        archive,
        as_json,
        lambda on: build_archive(
            archive,
            sources,
            encoder=encoder,
            first_encoder=read_environment().encoder or STARTER,
            store=store,
            catalog=catalog,
            drop=drop,
            engine=engine,
            normalise=normalise,
            on=on,
            **reading,
        ),
    )


@reads_sources
def add(
    archive: ArchiveArgument,
    sources: SourcesArgument,
    as_json: JsonOption = False,
    *,
    reading: dict[str, Any],
) -> None:
    """Index SOURCE… besides what ARCHIVE holds, as its next version; nothing is dropped.

    What it costs depends on what is added. The archive's own encoder is used.
    """
    _report(archive, as_json, lambda on: add_to_archive(archive, sources, on=on, **reading))


def _report(archive: Path, as_json: bool, index: Callable[[Progress], BuildReport]) -> None:
    from coin_retrieval.console.bars import showing
    from coin_retrieval.console.session import print_json
    from indexer.cli.tables import report_object, show_report

    # a torn TIFF says so on every tag
    warnings.filterwarnings("ignore", module="PIL")
    # what a library prints while it loads is no part of the answer
    with showing(quiet=as_json) as on, redirect_stdout(sys.stderr):
        report = index(on)
    if as_json:
        print_json(report_object(report, archive))
    else:
        show_report(report, archive)
