"""``coin-index`` says what an archive holds, checks it, and hands it on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coin_retrieval.console.errors import JsonOption
from indexer.cli.building import ArchiveArgument


def history(archive: ArchiveArgument, as_json: JsonOption = False) -> None:
    """The versions that ARCHIVE keeps, the newest first: how each came to be, and what it holds."""
    from coin_retrieval.console.session import print_json
    from indexer.cli.change_tables import show_history, version_object
    from indexer.history import history as versions_of

    versions = versions_of(archive)
    if as_json:
        print_json(
            {
                "archive": str(archive),
                "versions": [version_object(v.manifest, current=v.current) for v in versions],
            }
        )
    else:
        show_history(versions)


def info(archive: ArchiveArgument, as_json: JsonOption = False) -> None:
    """What ARCHIVE holds: its manifest, and the fields that searches can be filtered by."""
    from coin_retrieval.console.session import print_json
    from indexer.cli.tables import info_object, show_info

    if as_json:
        print_json(info_object(archive))
    else:
        show_info(archive)


def verify(
    archive: ArchiveArgument,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Make lost and spoilt thumbnails again from the pictures."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check ARCHIVE: checksums, ids, vectors, thumbnails, pictures; exit code 1 on an error."""
    from coin_retrieval.console.session import print_json, working
    from indexer.cli.tables import findings_object, show_findings

    with working("verifying"):
        from coin_retrieval.archive.verify import verify as verify_archive
        from coin_retrieval.factory import open_archive
        from indexer.repairing import repair_thumbnails

        if repair:
            repair_thumbnails(archive)
        with open_archive(archive) as opened:
            findings = verify_archive(opened)
    if as_json:
        print_json(findings_object(archive, findings))
    else:
        show_findings(archive, findings)
    if any(finding.severity == "error" for finding in findings):
        raise typer.Exit(1)


def export(
    archive: ArchiveArgument,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="New, or empty.")],
    as_json: JsonOption = False,
) -> None:
    """Write ARCHIVE's embeddings and records as clip-retrieval has them; `build` reads them, too.

    img_emb/*.npy and metadata/*.parquet; pictures are named, not copied. Reports are in it.
    """
    from coin_retrieval.console.session import print_json, working
    from indexer.exporting import export as export_archive

    with working("exporting"):
        written = export_archive(archive, folder)
    if as_json:
        print_json({"archive": str(archive), "folder": str(folder), "images": written})
    else:
        typer.echo(f"{written:,} images of {archive} are in {folder}")
