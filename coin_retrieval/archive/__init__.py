"""A published archive: its files, its manifest, its versions."""

from coin_retrieval.archive.archive import Archive
from coin_retrieval.archive.layout import ArchiveLayout
from coin_retrieval.archive.manifest import ArchiveManifest

__all__ = ["Archive", "ArchiveLayout", "ArchiveManifest"]
