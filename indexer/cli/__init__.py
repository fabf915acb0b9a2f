"""``coin-index``: builds archives, says what they hold, checks them, brings them up to date."""

from __future__ import annotations

import typer

from coin_retrieval.console.errors import CoinGroup, run
from indexer.cli.building import add, build
from indexer.cli.changing import compact, remove, rollback, upgrade
from indexer.cli.looking import export, history, info, verify

app = typer.Typer(
    cls=CoinGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="Archives of cases: built, added to, searched for faults, and brought back.",
)
for command in (build, add, remove, compact, history, rollback, info, verify, export, upgrade):
    app.command()(command)


def main() -> None:
    """The program ``coin-index``."""
    run(app)
