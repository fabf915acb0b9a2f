"""What every ``coin evaluate`` command does with its figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from pydantic import BaseModel


def show(
    figures: BaseModel,
    table: str,
    *,
    name: str,
    out: Path | None,
    as_json: bool,
    pictures: Mapping[str, Callable[[], bytes]] | None = None,
) -> None:
    """Print one object or a table; keep both in ``out`` under ``name``, and pictures by theirs."""
    from coin_retrieval.console.session import print_json

    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / f"{name}.json").write_text(figures.model_dump_json(indent=2) + "\n", "utf-8")
        (out / f"{name}.md").write_text(table, "utf-8")
        for file, drawn in (pictures or {}).items():
            (out / file).write_bytes(drawn())
    if as_json:
        print_json(figures.model_dump(mode="json"))
    else:
        typer.echo(table)
