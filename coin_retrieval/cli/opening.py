"""An archive as a command of the program opens it: environment first, options above it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coin_retrieval.search.retriever import Retriever


def open_retriever(
    archive: Path,
    *,
    encoder: str | None = None,
    generator: str | None = None,
) -> Retriever:
    """A retriever with all that is named, so that every command plans alike.

    Raises as :func:`~coin_retrieval.factory.make_retriever` does.
    """
    from coin_retrieval.console.environment import read_environment
    from coin_retrieval.console.session import working
    from coin_retrieval.factory import (
        make_retriever,
        open_archive,
        parse_encoder,
        parse_generator,
    )

    environment = read_environment()
    named = encoder or environment.encoder
    with working("loading the models"):
        return make_retriever(
            open_archive(archive),
            cache_dir=environment.prototype_dir,
            cache_bytes=environment.cache_bytes,
            encoder=parse_encoder(named) if named else None,
            generator=parse_generator(generator or environment.generator),
        )
