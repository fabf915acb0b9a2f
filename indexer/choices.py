"""What a build uses where its caller does not say."""

from __future__ import annotations

from pathlib import Path

from coin_retrieval import factory
from coin_retrieval.archive import ArchiveLayout, ArchiveManifest
from coin_retrieval.archive.layout import MANIFEST
from coin_retrieval.archive.manifest import read_manifest
from coin_retrieval.config import (
    CatalogSettings,
    EncoderSettings,
    FaissStoreSettings,
    SqliteCatalogSettings,
    StoreSettings,
)
from coin_retrieval.console.environment import read_environment
from coin_retrieval.errors import ArchiveCorruptError, NotFoundError
from coin_retrieval.named_settings import read_catalog, read_store


def choose_encoder(archive: Path, named: str | EncoderSettings | None) -> EncoderSettings:
    """The one that is named, else the archive's own, else COIN_ENCODER, else the starter.

    Raises:
        SettingsError: a name that means nothing.
        ArchiveSchemaError: the archive was written by a newer program.
    """
    own = _own_manifest(archive)
    if named is None and own is not None:
        return own.encoder_settings
    if named is None or isinstance(named, str):
        return factory.parse_encoder(named or read_environment().encoder or "starter")
    return named


def choose_store(archive: Path, named: str | StoreSettings | None) -> StoreSettings:
    """The one that is named, else the archive's own, else a flat FAISS index. Raises as above."""
    own = _own_manifest(archive)
    if named is None:
        return own.store if own is not None else FaissStoreSettings()
    return read_store(named) if isinstance(named, str) else named


def choose_catalog(archive: Path, named: str | CatalogSettings | None) -> CatalogSettings:
    """The one that is named, else the archive's own, else SQLite. Raises as above."""
    own = _own_manifest(archive)
    if named is None:
        return own.catalog if own is not None else SqliteCatalogSettings()
    return read_catalog(named) if isinstance(named, str) else named


def _own_manifest(archive: Path) -> ArchiveManifest | None:
    """``None`` before the first publication, or where it cannot be read and is built anew."""
    try:
        return read_manifest(ArchiveLayout(archive).published() / MANIFEST)
    except (NotFoundError, ArchiveCorruptError):
        return None
