"""What every command does around its work: a spinner, one clean stdout, lazily built parts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import typer
from rich.console import Console


@contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner on stderr; whatever a library prints meanwhile goes to stderr too."""
    console = Console(stderr=True)
    with redirect_stdout(sys.stderr), console.status(what):
        yield


def print_json(payload: Any) -> None:
    """One JSON object on stdout, in ASCII: any terminal and any pipe takes it."""
    typer.echo(json.dumps(payload, indent=2))
