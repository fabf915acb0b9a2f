"""How a command line says what went wrong: for people on stderr, for programs as one object."""

from __future__ import annotations

import gc
import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text
from typer.core import TyperGroup

from coin_retrieval.console.session import share_processors
from coin_retrieval.errors import CoinError
from coin_retrieval.nets.lean import import_lean

_JSON_ASKED = "coin_retrieval.json"


def _remember_json(context: typer.Context, asked: bool) -> bool:
    context.meta[_JSON_ASKED] = asked
    return asked


JsonOption = Annotated[
    bool,
    typer.Option(
        "--json",
        help="Print one JSON object, errors included.",
        callback=_remember_json,
        is_eager=True,
    ),
]
"""A command's ``--json``: with it, :class:`CoinGroup` answers errors in JSON too."""


class CoinGroup(TyperGroup):
    """Commands whose :class:`CoinError` becomes a message and the error's exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; raises :class:`typer.Exit` in place of a :class:`CoinError`."""
        try:
            return super().invoke(ctx)
        except CoinError as error:
            show_error(error, as_json=bool(ctx.meta.get(_JSON_ASKED)))
            raise typer.Exit(error.exit_code) from error


def run(app: typer.Typer) -> None:
    """Run a program; an app without sub-commands gets its errors shown here."""
    share_processors()
    import_lean()
    try:
        app()
    except CoinError as error:
        show_error(error)
        sys.exit(error.exit_code)
    finally:
        # else the interpreter looks for garbage among all modules' objects before it ends: a second
        gc.freeze()


def show_error(error: CoinError, *, as_json: bool = False) -> None:
    """Value, expectation and remedy: in colour on stderr, or as ``{"error": …}`` on stdout."""
    if as_json:
        typer.echo(json.dumps({"error": as_object(error)}))
        return
    message = Text.assemble(("Error: ", "bold red"), (error.problem, "bold"))
    for label, part in (
        ("got", error.value),
        ("expected", error.expected),
        ("remedy", error.remedy),
    ):
        if part is not None:
            message.append(f"\n  {label:<9}", "dim").append(str(part))
    Console(stderr=True, soft_wrap=True).print(message)


def as_object(error: CoinError) -> dict[str, Any]:
    """The error's parts, JSON-ready."""
    return {
        "type": type(error).__name__,
        "problem": error.problem,
        "value": _plain(error.value),
        "expected": error.expected,
        "remedy": error.remedy,
        "exit_code": error.exit_code,
    }


def _plain(value: object) -> Any:
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return str(value) if isinstance(value, Path) else repr(value)
