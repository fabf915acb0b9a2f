"""What a build uses where its command does not say."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from coin_retrieval import factory
from coin_retrieval.archive import ArchiveLayout, ArchiveManifest
from coin_retrieval.archive.layout import MANIFEST
from coin_retrieval.archive.manifest import read_manifest
from coin_retrieval.config import EncoderSettings, FaissStoreSettings, StoreSettings
from coin_retrieval.console.environment import read_environment
from coin_retrieval.errors import ArchiveCorruptError, NotFoundError, SettingsError

KINDS = get_args(FaissStoreSettings.model_fields["kind"].annotation)


def choose_encoder(archive: Path, named: str | None) -> EncoderSettings:
    """The one that is named, else the archive's own, else COIN_ENCODER, else the starter.

    Raises:
        SettingsError: a name that means nothing.
        ArchiveSchemaError: the archive was written by a newer program.
    """
    own = _own_manifest(archive)
    if named is None and own is not None:
        return own.encoder_settings
    return factory.parse_encoder(named or read_environment().encoder or "starter")


def choose_store(archive: Path, kind: str | None) -> StoreSettings:
    """The kind that is named, else the archive's own, else flat.

    Raises:
        SettingsError: no such kind.
        ArchiveSchemaError: the archive was written by a newer program.
    """
    own = _own_manifest(archive)
    if kind is None:
        return own.store if own is not None else FaissStoreSettings()
    if kind not in KINDS:
        raise SettingsError("no such store", value=kind, expected=f"one of {', '.join(KINDS)}")
    return FaissStoreSettings.model_validate({"kind": kind})


def _own_manifest(archive: Path) -> ArchiveManifest | None:
    """``None`` before the first publication, or where it cannot be read and is built anew."""
    try:
        return read_manifest(ArchiveLayout(archive).published() / MANIFEST)
    except (NotFoundError, ArchiveCorruptError):
        return None
