"""``coin-index``: build an archive, say what it holds, check it, bring it up to date."""

from __future__ import annotations

import sys
import time
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from coin_retrieval.console.errors import CoinGroup, JsonOption, run
from coin_retrieval.setting_forms import CATALOG_FORMS, ENCODER_FORMS, STORE_FORMS
from indexer import MAX_SKIPPED, WORKERS
from indexer import add as add_to_archive
from indexer import build as build_archive
from indexer import tile_options as tile

if TYPE_CHECKING:
    from indexer.building import BuildReport
    from indexer.choices import BatchSize

AUTO: Literal["auto"] = "auto"
_LARGEST_BATCH = 4096

app = typer.Typer(
    cls=CoinGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="Archives of cases: built, added to, searched for faults, and brought back.",
)

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


@app.command()
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
    tile_px: tile.TilePx = tile.TILE_PX,
    tile_mpp: tile.TileMpp = tile.TILE_MPP,
    tile_overlap: tile.Overlap = tile.OVERLAP,
    mpp: tile.SlideMpp = None,
    min_tissue: tile.MinTissue = tile.MIN_TISSUE,
    min_contrast: tile.MinContrast = tile.MIN_CONTRAST,
    min_sharpness: tile.MinSharpness = tile.MIN_SHARPNESS,
    drop: Annotated[
        bool, typer.Option("--drop", help="Let cases go that SOURCE… does not name, however many.")
    ] = False,
    max_skipped: SkippedOption = MAX_SKIPPED,
    rehash: RehashOption = False,
    batch_size: BatchOption = AUTO,
    workers: WorkersOption = WORKERS,
    as_json: JsonOption = False,
) -> None:
    """Index SOURCE… as ARCHIVE's next version: it then holds exactly these cases.

    Pictures that were embedded before are not again. A build that was stopped resumes.
    """
    from coin_retrieval.console.bars import showing
    from coin_retrieval.console.environment import read_environment
    from coin_retrieval.console.inputs import parse_where
    from coin_retrieval.named_settings import STARTER
    from indexer.sources.columns import parse_columns

    # a torn TIFF says so on every tag
    warnings.filterwarnings("ignore", module="PIL")
    started = time.perf_counter()
    # what a library prints while it loads is no part of the answer
    with showing(quiet=as_json) as on, redirect_stdout(sys.stderr):
        report = build_archive(
            archive,
            sources,
            encoder=encoder,
            first_encoder=read_environment().encoder or STARTER,
            store=store,
            catalog=catalog,
            where=parse_where(where or []),
            pseudonym_key=_key(pseudonym_key) if pseudonymise or pseudonym_key else None,
            columns=parse_columns(columns or []),
            tiling=tile.tiling(
                tile_px, tile_mpp, tile_overlap, mpp, min_tissue, min_contrast, min_sharpness
            ),
            batch_size=_batch_size(batch_size),
            workers=workers,
            drop=drop,
            max_skipped=max_skipped,
            rehash=rehash,
            on=on,
        )
    _show_built(report, archive, started=started, as_json=as_json)


@app.command()
def add(
    archive: ArchiveArgument,
    sources: SourcesArgument,
    where: WhereOption = None,
    pseudonymise: PseudonymiseOption = False,
    pseudonym_key: KeyOption = None,
    columns: MapOption = None,
    tile_px: tile.TilePx = tile.TILE_PX,
    tile_mpp: tile.TileMpp = tile.TILE_MPP,
    tile_overlap: tile.Overlap = tile.OVERLAP,
    mpp: tile.SlideMpp = None,
    min_tissue: tile.MinTissue = tile.MIN_TISSUE,
    min_contrast: tile.MinContrast = tile.MIN_CONTRAST,
    min_sharpness: tile.MinSharpness = tile.MIN_SHARPNESS,
    max_skipped: SkippedOption = MAX_SKIPPED,
    rehash: RehashOption = False,
    batch_size: BatchOption = AUTO,
    workers: WorkersOption = WORKERS,
    as_json: JsonOption = False,
) -> None:
    """Index SOURCE… besides what ARCHIVE holds, as its next version; nothing is dropped.

    What it costs depends on what is added. The archive's own encoder is used.
    """
    from coin_retrieval.console.bars import showing
    from coin_retrieval.console.inputs import parse_where
    from indexer.sources.columns import parse_columns

    warnings.filterwarnings("ignore", module="PIL")
    started = time.perf_counter()
    with showing(quiet=as_json) as on, redirect_stdout(sys.stderr):
        report = add_to_archive(
            archive,
            sources,
            where=parse_where(where or []),
            pseudonym_key=_key(pseudonym_key) if pseudonymise or pseudonym_key else None,
            columns=parse_columns(columns or []),
            tiling=tile.tiling(
                tile_px, tile_mpp, tile_overlap, mpp, min_tissue, min_contrast, min_sharpness
            ),
            batch_size=_batch_size(batch_size),
            workers=workers,
            max_skipped=max_skipped,
            rehash=rehash,
            on=on,
        )
    _show_built(report, archive, started=started, as_json=as_json)


@app.command()
def remove(
    archive: ArchiveArgument,
    cases: Annotated[
        list[str] | None, typer.Argument(metavar="[CASE…]", help="Cases, by their case_id.")
    ] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=VALUE", help="Images that fit; may be repeated."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="A text file with one case_id a line."),
    ] = None,
    purge: Annotated[
        bool,
        typer.Option("--purge", help="For good: out of every version, from the disk, for ever."),
    ] = False,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds that --purge waits for servers to let go.")
    ] = 30,
    as_json: JsonOption = False,
) -> None:
    """Take cases out of ARCHIVE, as its next version. `rollback` brings them back.

    With --purge nothing does: no version before is left, and no vector, record, thumbnail or list
    that names them.
    """
    from coin_retrieval.console.inputs import parse_where
    from coin_retrieval.console.session import print_json, working
    from indexer.showing.change_tables import read_case_ids, removal_object, show_removal

    named = [*(cases or []), *(read_case_ids(file) if file else [])]
    with working("removing"):
        from indexer.removing import remove as remove_cases

        report = remove_cases(
            archive, named, where=parse_where(where or []), purge=purge, wait_s=wait
        )
    if as_json:
        print_json(removal_object(report, archive))
    else:
        show_removal(report, archive)


@app.command()
def compact(archive: ArchiveArgument, as_json: JsonOption = False) -> None:
    """Write ARCHIVE's segments anew, as few as may be, without what was removed."""
    from coin_retrieval.console.session import print_json, working
    from indexer.showing.change_tables import show_version, version_object

    with working("compacting"):
        from indexer.removing import compact as compact_archive

        manifest = compact_archive(archive)
    if as_json:
        print_json(version_object(manifest, current=True))
    else:
        show_version(manifest, archive)


@app.command()
def history(archive: ArchiveArgument, as_json: JsonOption = False) -> None:
    """The versions that ARCHIVE keeps, the newest first: how each came to be, and what it holds."""
    from coin_retrieval.console.session import print_json
    from indexer.history import history as versions_of
    from indexer.showing.change_tables import show_history, version_object

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


@app.command()
def rollback(
    archive: ArchiveArgument,
    version: Annotated[
        str | None,
        typer.Argument(metavar="[VERSION]", help="By default the one before the present one."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make ARCHIVE what it was in an earlier version: as its next one, so that nothing is lost."""
    from coin_retrieval.console.session import print_json
    from indexer.history import rollback as roll_back
    from indexer.showing.change_tables import show_version, version_object

    manifest = roll_back(archive, version)
    if as_json:
        print_json(version_object(manifest, current=True))
    else:
        show_version(manifest, archive)


@app.command()
def info(archive: ArchiveArgument, as_json: JsonOption = False) -> None:
    """What ARCHIVE holds: its manifest, and the fields that searches can be filtered by."""
    from coin_retrieval.console.session import print_json
    from indexer.showing.tables import info_object, show_info

    if as_json:
        print_json(info_object(archive))
    else:
        show_info(archive)


@app.command()
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
    from indexer.showing.tables import findings_object, show_findings

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


@app.command()
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


@app.command()
def upgrade(archive: ArchiveArgument, as_json: JsonOption = False) -> None:
    """Write ARCHIVE, which an earlier program built, as this one does; nothing is embedded.

    It becomes the next version, and the version before stays as it is. Archives of earlier programs
    are read without it, too.
    """
    from coin_retrieval.console.session import print_json, working
    from indexer.showing.tables import show_upgrade, upgrade_object

    with working("upgrading"):
        from indexer.upgrading import upgrade as upgrade_archive

        report = upgrade_archive(archive)
    if as_json:
        print_json(upgrade_object(report, archive))
    else:
        show_upgrade(report, archive)


def _show_built(report: BuildReport, archive: Path, *, started: float, as_json: bool) -> None:
    from coin_retrieval.console.session import print_json
    from indexer.showing.tables import report_object, show_report

    elapsed_s = time.perf_counter() - started
    if as_json:
        print_json(report_object(report, archive, elapsed_s=elapsed_s))
    else:
        show_report(report, archive, elapsed_s=elapsed_s)


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
    from indexer.pseudonyms import read_key

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


def main() -> None:
    """The program ``coin-index``."""
    run(app)
