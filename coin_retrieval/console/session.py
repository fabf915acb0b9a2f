"""What every command does around its work: polite threads, a spinner, one clean stdout."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

import typer
from rich.console import Console


def share_processors() -> None:
    """Let model threads sleep while they wait, and large tensors lie on large pages of memory.

    Unless OMP_WAIT_POLICY or THP_MEM_ALLOC_ENABLE say otherwise. Threads would spin: on two cores
    with two other programs, four prototypes then take 15 s instead of 1 s. Tensors would be given
    900,000 small pages while SDXL draws 512 × 512 px, which takes a tenth of its time. Only before
    torch is loaded: both variables are read once.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


@contextmanager
def working(what: str) -> Iterator[None]:
    """A spinner on stderr; whatever a library prints meanwhile goes to stderr too."""
    console = Console(stderr=True)
    with redirect_stdout(sys.stderr), console.status(what):
        yield


def print_json(payload: Any) -> None:
    """One JSON object on stdout, in ASCII: any terminal and any pipe takes it."""
    typer.echo(json.dumps(payload, indent=2))
