"""``coin-index``: build an archive, say what it holds, check it."""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path
from typing import Annotated

import typer

from coin_retrieval.console.errors import CoinGroup, JsonOption, run

app = typer.Typer(
    cls=CoinGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="Archives of cases: build, info, verify.",
)

ArchiveArgument = Annotated[Path, typer.Argument(metavar="ARCHIVE", help="The archive's folder.")]


@app.command()
def build(
    archive: ArchiveArgument,
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SOURCE…", help="Folders of pictures, or .csv or .parquet manifests of cases."
        ),
    ],
    encoder: Annotated[
        str | None,
        typer.Option(
            help="What embeds; by default the archive's own, or COIN_ENCODER, or starter."
        ),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(help="flat (exact), ivf or hnsw; by default the archive's own, or flat."),
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=VALUE", help="Only rows that fit; may be repeated."),
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, max=4096, help="Pictures a batch.")] = 32,
    threads: Annotated[
        int, typer.Option(min=1, max=256, help="That read and decode pictures.")
    ] = min(16, (os.cpu_count() or 2) + 1),
    as_json: JsonOption = False,
) -> None:
    """Index SOURCE… as ARCHIVE's next version: it then holds exactly these cases.

    Pictures that were embedded before are not again. A build that was stopped resumes.
    """
    from coin_retrieval.console.inputs import parse_where
    from coin_retrieval.console.session import print_json, working
    from indexer.choices import choose_encoder, choose_store
    from indexer.progress import showing_progress
    from indexer.rows import read_sources
    from indexer.tables import report_object, show_report

    # a torn TIFF says so on every tag
    warnings.filterwarnings("ignore", module="PIL")
    started = time.perf_counter()
    wanted = parse_where(where or [])
    store_settings = choose_store(archive, store)
    encoder_settings = choose_encoder(archive, encoder)
    batch = read_sources(sources, archive=archive, where=wanted)
    with working("loading the encoder"):
        from coin_retrieval.factory import make_encoder
        from indexer.building import BuildSettings, refuse_foreign_folder
        from indexer.building import build as build_archive

        refuse_foreign_folder(archive)
        loaded = make_encoder(encoder_settings)
    settings = BuildSettings(encoder_settings, store_settings, batch_size, threads)
    with showing_progress(len(batch.rows), quiet=as_json) as advance:
        report = build_archive(
            archive, batch, encoder=loaded, settings=settings, where=wanted, advance=advance
        )
    elapsed_s = time.perf_counter() - started
    if as_json:
        print_json(report_object(report, archive, elapsed_s=elapsed_s))
    else:
        show_report(report, archive, elapsed_s=elapsed_s)


@app.command()
def info(archive: ArchiveArgument, as_json: JsonOption = False) -> None:
    """What ARCHIVE holds: its manifest, and the fields that searches can be filtered by."""
    from coin_retrieval.console.session import print_json
    from indexer.tables import info_object, show_info

    if as_json:
        print_json(info_object(archive))
    else:
        show_info(archive)


@app.command()
def verify(archive: ArchiveArgument, as_json: JsonOption = False) -> None:
    """Check ARCHIVE: checksums, ids, vectors, thumbnails, pictures; exit code 1 on an error."""
    from coin_retrieval.console.session import print_json, working
    from indexer.tables import findings_object, show_findings

    with working("verifying"):
        from coin_retrieval.archive.verify import verify as verify_archive
        from coin_retrieval.factory import open_archive

        with open_archive(archive) as opened:
            findings = verify_archive(opened)
    if as_json:
        print_json(findings_object(archive, findings))
    else:
        show_findings(archive, findings)
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


def main() -> None:
    """The program ``coin-index``."""
    run(app)
