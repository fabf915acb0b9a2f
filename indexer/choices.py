"""What a build uses where its caller does not say."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from coin_retrieval.archive import ArchiveManifest
from coin_retrieval.archive.layout import MANIFEST
from coin_retrieval.archive.manifest import read_manifest
from coin_retrieval.archive.opening import open_layout
from coin_retrieval.config import (
    CatalogSettings,
    EncoderSettings,
    SqliteCatalogSettings,
    StoreSettings,
)
from coin_retrieval.errors import ArchiveCorruptError, NotFoundError, SettingsError
from coin_retrieval.factory import parse_encoder
from coin_retrieval.named_settings import read_catalog, read_store
from indexer import MAX_SKIPPED

BatchSize = int | Literal["auto"]
"""Pictures that pass the encoder together."""

Engine = Literal["local", "ray"]
"""What embeds: this process, or actors of Ray."""

Normalising = Literal["auto", "stain", "never"]
"""Whether pictures are shown to the encoder in colours and a scale that the starter knows."""

_OF_PROCESSOR, _OF_GPU = 32, 256


@dataclass(frozen=True, slots=True)
class BuildSettings:
    """How to build: encoder, store and catalog are kept by the archive, the rest is of this build.

    ``drop`` lets cases go that the sources do not name, ``max_skipped`` is the share of a source's
    rows that may be unreadable, ``rehash`` reads files again whose size and time are as they were.
    """

    encoder: EncoderSettings
    store: StoreSettings
    batch_size: int = 32
    workers: int = 4
    catalog: CatalogSettings = field(default_factory=SqliteCatalogSettings)
    drop: bool = False
    max_skipped: float = MAX_SKIPPED
    rehash: bool = False
    engine: Engine = "local"


def choose_batch_size(wanted: BatchSize, encoder: EncoderSettings) -> int:
    """What is wanted, or by the device: more at a time gain nothing on processors.

    Never measured while it builds: in batches of other sizes embeddings differ in their last bits,
    and a build that resumes is to give the same archive.
    """
    if wanted != "auto":
        return wanted
    from coin_retrieval.nets.compute import pick_device

    return _OF_GPU if pick_device(encoder.device).type == "cuda" else _OF_PROCESSOR


def choose_settings(
    archive: Path,
    *,
    encoder: str | EncoderSettings | None,
    store: str | StoreSettings | None,
    catalog: str | CatalogSettings | None,
    first_encoder: str,
) -> tuple[EncoderSettings, StoreSettings, CatalogSettings]:
    """Those that are named, else the archive's own, else ``first_encoder``, auto and sqlite.

    Raises:
        SettingsError: a name that means nothing.
        ArchiveSchemaError: the archive was written by a newer program.
    """
    own = own_manifest(archive)
    remote = open_layout(archive).remote
    if remote is not None:
        if store is not None or catalog is not None:
            raise SettingsError(
                "this archive's address says where vectors and records lie",
                value=store or catalog,
                expected="no other store or catalog",
                remedy="change the address's file, or name a folder instead",
            )
        store, catalog = remote.store, remote.catalog
    if encoder is None:
        encoder = own.encoder_settings if own else first_encoder
    if store is None:
        store = own.store if own else "auto"
    if catalog is None:
        catalog = own.catalog if own else "sqlite"
    return (
        parse_encoder(encoder) if isinstance(encoder, str) else encoder,
        read_store(store) if isinstance(store, str) else store,
        read_catalog(catalog) if isinstance(catalog, str) else catalog,
    )


def own_settings(archive: Path) -> tuple[EncoderSettings, StoreSettings, CatalogSettings]:
    """Those of an archive.

    Raises:
        NotFoundError, ArchiveCorruptError, ArchiveSchemaError: there is none that can be read.
    """
    own = read_manifest(open_layout(archive).published() / MANIFEST)
    return own.encoder_settings, own.store, own.catalog


def own_manifest(archive: Path) -> ArchiveManifest | None:
    """``None`` before the first publication, or where it cannot be read and is built anew."""
    try:
        return read_manifest(open_layout(archive).published() / MANIFEST)
    except (NotFoundError, ArchiveCorruptError):
        return None
