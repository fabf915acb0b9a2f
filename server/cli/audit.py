"""``coin-serve audit``: whether the log of what happened is whole, and what it says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from coin_retrieval.console.errors import JsonOption
from coin_retrieval.console.session import print_json
from coin_retrieval.errors import NotFoundError

audit_app = typer.Typer(help="What happened on a server.", no_args_is_help=True)

AuditFolder = Annotated[Path, typer.Argument(help="The folder that coin-serve --audit writes to.")]
KEY_NAME = "key"


@audit_app.command()
def verify(
    folder: AuditFolder,
    key: Annotated[
        Path | None, typer.Option(help="The log's key; default: the file key in its folder.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check that no record was changed, added, moved or taken away; ends with 1 if one was."""
    from server.audit.chain import read_key
    from server.audit.verify import verify as verify_log

    path = key or folder / KEY_NAME
    if not path.is_file():
        raise NotFoundError(
            "there is no key of an audit log",
            value=str(path),
            expected="the key under which the log was written",
            remedy="name it with --key FILE",
        )
    found = verify_log(folder, key=read_key(path))
    span = [None if at is None else at.isoformat() for at in (found.first, found.last)]
    if as_json:
        print_json({"records": found.records, "first": span[0], "last": span[1],
                    "problems": found.problems})  # fmt: skip
    else:
        typer.echo(f"{found.records} records, {span[0] or '-'} to {span[1] or '-'}")
        for problem in found.problems:
            typer.echo(f"  {problem}")
        typer.echo("The log is NOT whole." if found.problems else "The log is whole.")
    if found.problems:
        raise typer.Exit(1)


@audit_app.command()
def drift(folder: AuditFolder, as_json: JsonOption = False) -> None:
    """Week by week: how many searches found no close match, and how close the nearest cases were.

    A rising share of searches without a close match says that what is asked has moved away from
    what the archive holds: another laboratory, another stain, another population.
    """
    from server.audit.drift import Drift

    found = Drift(folder).view().weeks
    if as_json:
        print_json([week.model_dump() for week in found])
        return
    table = Table("week", "searches", "judged", "no close match", "mean closeness")
    for week in found:
        no_match = "-" if week.share_not_close is None else f"{week.share_not_close:.0%}"
        score = "-" if week.mean_score is None else f"{week.mean_score:.3f}"
        table.add_row(week.name, str(week.searches), str(week.judged), no_match, score)
    Console().print(table)
