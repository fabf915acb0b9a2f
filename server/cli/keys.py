"""``coin-serve keys``: who may ask, by API key."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from coin_retrieval.console.errors import JsonOption
from coin_retrieval.console.session import print_json
from server.access.principals import Role

if TYPE_CHECKING:
    from server.access.keys import ApiKey

keys_app = typer.Typer(help="API keys of those who may ask a server.", no_args_is_help=True)

KeysFile = Annotated[
    Path, typer.Option("--keys", help="The file of keys.", envvar="COIN_ACCESS__KEYS")
]


@keys_app.command()
def add(
    name: Annotated[str, typer.Argument(help="The person or the program that will use it.")],
    keys: KeysFile,
    role: Annotated[Role, typer.Option(help="What it allows.")] = Role.READER,
    days: Annotated[
        int | None, typer.Option(min=1, help="How long it holds; default for ever.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a key and show it, this once: only a hash of it is kept."""
    from server.access.keys import KeyFile

    key = KeyFile(keys).add(name, role, days=days)
    if as_json:
        print_json({"name": name, "role": role.value, "key": key})
    else:
        Console(stderr=True).print(f"A key for {name} ({role.value}); it is not shown again:")
        typer.echo(key)


@keys_app.command(name="list")
def list_keys(keys: KeysFile, as_json: JsonOption = False) -> None:
    """Who has keys: never the keys themselves."""
    from server.access.keys import KeyFile

    found = KeyFile(keys).all()
    if as_json:
        print_json([key.model_dump(mode="json", exclude={"sha256"}) for key in found])
        return
    table = Table("id", "name", "role", "made", "expires")
    for key in found:
        expires = "never" if key.expires is None else f"{key.expires:%Y-%m-%d %H:%M}"
        table.add_row(key.id, key.name, key.role.value, f"{key.created:%Y-%m-%d %H:%M}", expires)
    Console().print(table)


@keys_app.command()
def revoke(
    which: Annotated[str, typer.Argument(help="The id of a key, or a name: all of its keys.")],
    keys: KeysFile,
    as_json: JsonOption = False,
) -> None:
    """Take keys back; a running server refuses them from the next request on."""
    from server.access.keys import KeyFile

    gone = KeyFile(keys).revoke(which)
    if as_json:
        print_json({"revoked": [key.id for key in gone]})
    else:
        typer.echo(f"revoked: {_named(gone)}")


def _named(keys: list[ApiKey]) -> str:
    return ", ".join(f"{key.id} ({key.name})" for key in keys)
