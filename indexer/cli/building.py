"""``coin-index build`` and ``add``: options in, the report out."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from coin_retrieval.console.errors import JsonOption
from coin_retrieval.setting_forms import CATALOG_FORMS, ENCODER_FORMS, STORE_FORMS
from indexer import MAX_SKIPPED, WORKERS
from indexer import add as add_to_archive
from indexer import build as build_archive
from indexer.cli.tile_options import asks_tiling
from indexer.tiling.settings import Tiling

if TYPE_CHECKING:
    from coin_retrieval.progress import Progress
    from indexer.building import BuildReport
    from indexer.choices import BatchSize

AUTO: Literal["auto"] = "auto"
_LARGEST_BATCH = 4096

ArchiveArgument = Annotated[Path, typer.Argument(metavar="ARCHIVE", help="The archive's folder.")]
SourcesArgument = Annotated[
    list[Path],
    typer.Argument(
        metavar="SOURCE…",
        help="Folders, manifests of cases (.csv, .xlsx, .jsonl, .parquet), or files that hold "
        "several pictures: slides, DICOM instances, tars.",
    ),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(metavar="FIELD=VALUE", help="Only rows that fit; may be repeated."),
]
PseudonymiseOption = Annotated[
    bool,
    typer.Option(
        "--pseudonymise",
        help="Keep patient_id and slide_id as keyed hashes (HMAC-SHA256). The key is read "
        "from --pseudonym-key or COIN_PSEUDONYM_KEY and never stored.",
    ),
]
KeyOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="The file that holds the key for --pseudonymise."),
]
MapOption = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="NAME=COLUMN",
        help="What a manifest calls a column: diagnosis='Final Dx'; may be repeated. "
        "Or a .yaml or .json file of such pairs.",
    ),
]
SkippedOption = Annotated[
    float,
    typer.Option(min=0, max=1, help="The share of a source's rows that may be unreadable."),
]
RehashOption = Annotated[
    bool,
    typer.Option("--rehash", help="Read files again whose size and time are as they were."),
]
BatchOption = Annotated[
    str, typer.Option(metavar="N|auto", help="Pictures a batch; auto: 32, on a GPU 256.")
]
WorkersOption = Annotated[
    int, typer.Option(min=1, max=256, help="Threads that read and decode pictures ahead.")
]


@asks_tiling
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
    where: WhereOption = None,
    pseudonymise: PseudonymiseOption = False,
    pseudonym_key: KeyOption = None,
    columns: MapOption = None,
    tiling: Tiling | None = None,
    drop: Annotated[
        bool, typer.Option("--drop", help="Let cases go that SOURCE… does not name, however many.")
    ] = False,
    max_skipped: SkippedOption = MAX_SKIPPED,
    rehash: RehashOption = False,
    batch_size: BatchOption = AUTO,
    workers: WorkersOption = WORKERS,
    engine: Annotated[
        Literal["local", "ray"],
        typer.Option(help="What embeds: this process, or Ray, on all GPUs or processors."),
    ] = "local",
    as_json: JsonOption = False,
) -> None:
    """Index SOURCE… as ARCHIVE's next version: it then holds exactly these cases.

    Pictures that were embedded before are not again. A build that was stopped resumes.
    """
    from coin_retrieval.console.environment import read_environment
    from coin_retrieval.console.inputs import parse_where
    from coin_retrieval.named_settings import STARTER
    from indexer.sources.columns import parse_columns

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
            where=parse_where(where or []),
            pseudonym_key=_key(pseudonym_key) if pseudonymise or pseudonym_key else None,
            columns=parse_columns(columns or []),
            tiling=tiling,
            batch_size=_batch_size(batch_size),
            workers=workers,
            max_skipped=max_skipped,
            rehash=rehash,
            engine=engine,
            on=on,
        ),
    )


@asks_tiling
def add(
    archive: ArchiveArgument,
    sources: SourcesArgument,
    where: WhereOption = None,
    pseudonymise: PseudonymiseOption = False,
    pseudonym_key: KeyOption = None,
    columns: MapOption = None,
    tiling: Tiling | None = None,
    max_skipped: SkippedOption = MAX_SKIPPED,
    rehash: RehashOption = False,
    batch_size: BatchOption = AUTO,
    workers: WorkersOption = WORKERS,
    as_json: JsonOption = False,
) -> None:
    """Index SOURCE… besides what ARCHIVE holds, as its next version; nothing is dropped.

    What it costs depends on what is added. The archive's own encoder is used.
    """
    from coin_retrieval.console.inputs import parse_where
    from indexer.sources.columns import parse_columns

    _report(
        archive,
        as_json,
        lambda on: add_to_archive(
            archive,
            sources,
            where=parse_where(where or []),
            pseudonym_key=_key(pseudonym_key) if pseudonymise or pseudonym_key else None,
            columns=parse_columns(columns or []),
            tiling=tiling,
            batch_size=_batch_size(batch_size),
            workers=workers,
            max_skipped=max_skipped,
            rehash=rehash,
            on=on,
        ),
    )


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


def _batch_size(text: str) -> BatchSize:
    if text == AUTO:
        return AUTO
    if text.isdecimal() and 0 < int(text) <= _LARGEST_BATCH:
        return int(text)
    raise typer.BadParameter(
        f"{text} is neither auto nor 1 to {_LARGEST_BATCH}", param_hint="--batch-size"
    )


def _key(file: Path | None) -> bytes:
    from coin_retrieval.console.environment import read_environment
    from coin_retrieval.errors import InputError
    from indexer.cases.pseudonyms import read_key

    if file is not None:
        return read_key(file)
    named = read_environment().pseudonym_key
    if named is None:
        raise InputError(
            "there is no key to make pseudonyms with",
            expected="--pseudonym-key FILE, or COIN_PSEUDONYM_KEY in the environment",
            remedy="make one and keep it where the archive is not: openssl rand -hex 32",
        )
    return named.get_secret_value().encode()
