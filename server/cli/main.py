"""``coin-serve``: the HTTP server of one archive, and the keys of those who may ask it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import Field
from pydantic_settings import SettingsConfigDict
from rich.console import Console

from coin_retrieval.console.environment import CoinEnvironment, read_environment
from coin_retrieval.console.errors import CoinGroup, run, show_error
from coin_retrieval.console.fields import asks
from coin_retrieval.errors import CoinError
from coin_retrieval.setting_forms import ENCODER_FORMS, GENERATOR_FORMS
from server.access.settings import AccessSettings
from server.cli.audit import KEY_NAME, audit_app
from server.cli.keys import keys_app
from server.http.logs import LogFormat
from server.http.network import NetworkSettings
from server.http.options import with_options
from server.limits import ServerLimits

if TYPE_CHECKING:
    from coin_retrieval.search.retriever import Retriever


class _ServeGroup(CoinGroup):
    """``coin-serve ARCHIVE`` is ``coin-serve serve ARCHIVE``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the usual command before what names none."""
        if args and args[0] not in {*self.commands, "--help"}:
            args = ["serve", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ServeGroup,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    no_args_is_help=True,
    help="The HTTP server of one archive: coin-serve ARCHIVE.",
)
app.add_typer(keys_app, name="keys")
app.add_typer(audit_app, name="audit")


ACCOUNTS = ("keys", "oidc_issuer", "oidc_audience", "oidc_client")
"""What is said of accounts on the command line; the rest stands in the environment."""


class ServeEnvironment(CoinEnvironment):
    """COIN_HOST, COIN_LAYOUT_MODEL, COIN_TRANSLATE, COIN_LIMITS__… and so on; options win.

    Each field of :class:`ServerLimits`, :class:`AccessSettings` and :class:`NetworkSettings` is a
    variable, e.g. ``COIN_LIMITS__UPLOAD_BYTES``.
    """

    model_config = SettingsConfigDict(env_nested_delimiter="__")

    layout_model: Path | None = None
    translate: Path | None = None
    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    limits: ServerLimits = ServerLimits()
    access: AccessSettings = AccessSettings()
    network: NetworkSettings = NetworkSettings()


@app.command()
@asks("network", NetworkSettings, unset=True, panel="Network")
@asks("access", AccessSettings, ACCOUNTS, unset=True, panel="Accounts")
def serve(
    archive: Annotated[Path, typer.Argument(help="An archive that coin-index built.")],
    network: dict[str, Any],
    access: dict[str, Any],
    encoder: Annotated[
        str | None, typer.Option(help=f"{ENCODER_FORMS}; default: what built the archive.")
    ] = None,
    generator: Annotated[
        str | None, typer.Option(help=f"{GENERATOR_FORMS}; default COIN_GENERATOR, else starter.")
    ] = None,
    layout_model: Annotated[
        Path | None,
        typer.Option(help="A directory of coin train joint: layouts of nuclei can be asked."),
    ] = None,
    translate: Annotated[
        Path | None,
        typer.Option(
            help="A directory of coin train cyclegan, or a YAML file of style transfer: pictures "
            "can be translated first, as from histology."
        ),
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Where prototypes are kept; default below COIN_CACHE_DIR.")
    ] = None,
    audit: Annotated[
        Path | None, typer.Option(help="A folder for the log of who asked and saw what.")
    ] = None,
    audit_key: Annotated[
        Path | None, typer.Option(help="The log's key; default: the file key in its folder.")
    ] = None,
    cds_clients: Annotated[
        Path | None, typer.Option(help="Health records that may call CDS Hooks (YAML).")
    ] = None,
    study: Annotated[
        str | None, typer.Option(help="A reader study that coin study create wrote; at /study.")
    ] = None,
    log_format: Annotated[LogFormat, typer.Option(help="Of the lines on stderr.")] = LogFormat.TEXT,
) -> None:
    """Answer questions about an archive over HTTP, with a page at / and a reference at /docs.

    Without --keys or --oidc-issuer it has no accounts, and listens on this machine only.
    """
    environment = read_environment(ServeEnvironment)
    accounts = with_options(environment.access, access)
    listening = {"host": environment.host, "port": environment.port}
    listening |= {name: value for name, value in network.items() if value is not None}
    where = with_options(environment.network, listening)
    where.check(accounts=accounts.asked)
    named_encoder = encoder or environment.encoder
    cache_dir = cache or environment.prototype_dir
    from coin_retrieval.factory import (
        make_picture_maker,
        make_retriever,
        open_archive,
        parse_encoder,
        parse_generator,
    )

    # what can be told at once is told at once: a wrong archive, an unknown backend
    encoder_settings = parse_encoder(named_encoder) if named_encoder else None
    generator_settings = parse_generator(generator or environment.generator)
    opened = open_archive(archive)

    drawn_by = layout_model or environment.layout_model
    translated_by = translate or environment.translate

    def load() -> Retriever:
        maker = make_picture_maker(layout_model=drawn_by, translator=translated_by)
        maker.load()
        return make_retriever(
            opened,
            cache_dir=cache_dir,
            cache_bytes=environment.cache_bytes,
            encoder=encoder_settings,
            generator=generator_settings,
            drawn_together=environment.limits.drawing_batch,
            maker=maker,
        )

    from server.audit.chain import AuditLog, read_key
    from server.cds.clients import read_clients
    from server.http.serving import serve_until_stopped

    limits, log = environment.limits, None
    reader_study = None
    if study is not None:
        from coin_retrieval.study.store import StudyStore, database_of

        reader_study = StudyStore(database_of(study))
    cds = None if cds_clients is None else read_clients(cds_clients)
    if audit is not None:
        key = read_key(audit_key or audit / KEY_NAME)
        log = AuditLog(audit, key=key, keep_days=limits.audit_days)
    failure = serve_until_stopped(
        load,
        network=where,
        access=accounts,
        limits=limits,
        audit=log,
        cds=cds,
        reader_study=reader_study,
        log_format=log_format,
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
