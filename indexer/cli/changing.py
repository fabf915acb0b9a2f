"""``coin-index`` takes out, merges, goes back, brings up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from coin_retrieval.console.errors import JsonOption
from indexer.cli.building import ArchiveArgument


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
    from indexer.cli.change_tables import read_case_ids, removal_object, show_removal

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


def compact(archive: ArchiveArgument, as_json: JsonOption = False) -> None:
    """Write ARCHIVE's segments anew, as few as may be, without what was removed."""
    from coin_retrieval.console.session import print_json, working
    from indexer.cli.change_tables import show_version, version_object

    with working("compacting"):
        from indexer.removing import compact as compact_archive

        manifest = compact_archive(archive)
    if as_json:
        print_json(version_object(manifest, current=True))
    else:
        show_version(manifest, archive)


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
    from indexer.cli.change_tables import show_version, version_object
    from indexer.history import rollback as roll_back

    manifest = roll_back(archive, version)
    if as_json:
        print_json(version_object(manifest, current=True))
    else:
        show_version(manifest, archive)


def upgrade(archive: ArchiveArgument, as_json: JsonOption = False) -> None:
    """Write ARCHIVE, which an earlier program built, as this one does; nothing is embedded.

    It becomes the next version, and the version before stays as it is. Archives of earlier programs
    are read without it, too.
    """
    from coin_retrieval.console.session import print_json, working
    from indexer.cli.tables import show_upgrade, upgrade_object

    with working("upgrading"):
        from indexer.upgrading import upgrade as upgrade_archive

        report = upgrade_archive(archive)
    if as_json:
        print_json(upgrade_object(report, archive))
    else:
        show_upgrade(report, archive)
