"""The options that ``build`` and ``add`` share: how sources are read, and how slides are cut."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from coin_retrieval.errors import InputError
from indexer import MAX_SKIPPED, WORKERS
from indexer.cli.tile_options import asks_tiling
from indexer.tiling.settings import Tiling

if TYPE_CHECKING:
    from indexer.choices import BatchSize

AUTO: Literal["auto"] = "auto"
_LARGEST_BATCH = 4096


def reads_sources(command: Callable[..., None]) -> Callable[..., None]:
    """A command of which one parameter, ``reading``, is given option by option.

    It gets the arguments of :func:`indexer.build` that these options say.
    """
    options = [*signature(_reading, eval_str=True).parameters.values()]

    def asked(**said: Any) -> None:
        given = {option.name: said.pop(option.name) for option in options}
        command(**said, reading=_reading(**given))

    own = dict(signature(command, eval_str=True).parameters)
    del own["reading"]
    asked.__name__, asked.__doc__ = command.__name__, command.__doc__
    shown = signature(command).replace(parameters=[*own.values(), *options])
    vars(asked)["__signature__"] = shown
    return asks_tiling(asked)


def _reading(
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="FIELD=VALUE", help="Only rows that fit; may be repeated."),
    ] = None,
    pseudonymise: Annotated[
        bool,
        typer.Option(
            "--pseudonymise",
            help="Keep patient_id and slide_id as keyed hashes (HMAC-SHA256). The key is read "
            "from --pseudonym-key or COIN_PSEUDONYM_KEY and never stored.",
        ),
    ] = False,
    pseudonym_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The file that holds the key for --pseudonymise."),
    ] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="NAME=COLUMN",
            help="What a manifest calls a column: diagnosis='Final Dx'; may be repeated. "
            "Or a .yaml or .json file of such pairs.",
        ),
    ] = None,
    max_skipped: Annotated[
        float,
        typer.Option(min=0, max=1, help="The share of a source's rows that may be unreadable."),
    ] = MAX_SKIPPED,
    rehash: Annotated[
        bool,
        typer.Option("--rehash", help="Read files again whose size and time are as they were."),
    ] = False,
    batch_size: Annotated[
        str, typer.Option(metavar="N|auto", help="Pictures a batch; auto: 32, on a GPU 256.")
    ] = AUTO,
    workers: Annotated[
        int, typer.Option(min=1, max=256, help="Threads that read and decode pictures ahead.")
    ] = WORKERS,
    tiling: Tiling | None = None,
) -> dict[str, Any]:
    from coin_retrieval.console.inputs import parse_where
    from indexer.sources.columns import parse_columns

    return {
        "where": parse_where(where or []),
        "pseudonym_key": _key(pseudonym_key) if pseudonymise or pseudonym_key else None,
        "columns": parse_columns(columns or []),
        "tiling": tiling,
        "batch_size": _batch_size(batch_size),
        "workers": workers,
        "max_skipped": max_skipped,
        "rehash": rehash,
    }


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
    from indexer.cases.pseudonyms import read_key

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
