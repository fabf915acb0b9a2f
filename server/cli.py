"""``coin-serve``: the HTTP server of one archive."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import Field
from pydantic_settings import SettingsConfigDict
from rich.console import Console

from coin_retrieval.console.environment import CoinEnvironment, read_environment
from coin_retrieval.console.errors import run, show_error
from coin_retrieval.errors import CoinError
from coin_retrieval.setting_forms import ENCODER_FORMS, GENERATOR_FORMS
from server.limits import ServerLimits

if TYPE_CHECKING:
    from coin_retrieval.search.retriever import Retriever

app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)


class ServeEnvironment(CoinEnvironment):
    """COIN_HOST, COIN_PORT and COIN_LIMITS__… besides what ``coin`` reads; options win over them.

    Each field of :class:`ServerLimits` is a variable, e.g. ``COIN_LIMITS__UPLOAD_BYTES``.
    """

    model_config = SettingsConfigDict(env_nested_delimiter="__")

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    limits: ServerLimits = ServerLimits()


@app.command()
def serve(
    archive: Annotated[Path, typer.Argument(help="An archive that coin-index built.")],
    host: Annotated[
        str | None, typer.Option(help="Address to listen on; default COIN_HOST, else 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Default COIN_PORT, else 8000; 0 takes a free one."),
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help=f"{ENCODER_FORMS}; default: what built the archive.")
    ] = None,
    generator: Annotated[
        str | None, typer.Option(help=f"{GENERATOR_FORMS}; default COIN_GENERATOR, else starter.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Where prototypes are kept; default below COIN_CACHE_DIR.")
    ] = None,
) -> None:
    """Answer questions about an archive over HTTP, with a page at / and a reference at /docs.

    The server has no accounts yet: keep it on this machine, or behind a proxy that has them.
    """
    environment = read_environment(ServeEnvironment)
    named_encoder = encoder or environment.encoder
    cache_dir = cache or environment.prototype_dir
    from coin_retrieval.factory import (
        make_retriever,
        open_archive,
        parse_encoder,
        parse_generator,
    )

    # what can be told at once is told at once: a wrong archive, an unknown backend
    encoder_settings = parse_encoder(named_encoder) if named_encoder else None
    generator_settings = parse_generator(generator or environment.generator)
    opened = open_archive(archive)

    def load() -> Retriever:
        return make_retriever(
            opened,
            cache_dir=cache_dir,
            cache_bytes=environment.cache_bytes,
            encoder=encoder_settings,
            generator=generator_settings,
        )

    from server.serving import serve_until_stopped

    failure = serve_until_stopped(
        load,
        host=host or environment.host,
        port=environment.port if port is None else port,
        limits=environment.limits,
    )
    if failure is not None:
        if isinstance(failure, CoinError):
            show_error(failure)
            raise typer.Exit(failure.exit_code)
        Console(stderr=True).print_exception()
        raise typer.Exit(1)


def main() -> None:
    """The program ``coin-serve``."""
    run(app)
