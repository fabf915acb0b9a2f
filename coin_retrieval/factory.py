"""Settings → objects. Vendors are imported inside functions: none loads before it is chosen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from coin_retrieval.config import StoreSettings

if TYPE_CHECKING:
    from coin_retrieval.archive import Archive
    from coin_retrieval.catalog.base import Catalog
    from coin_retrieval.stores.base import VectorStore


def make_store(settings: StoreSettings, *, dim: int) -> VectorStore:
    """An empty vector store."""
    from coin_retrieval.stores.faiss import FaissStore

    return FaissStore(dim, kind=settings.kind)


def open_store(settings: StoreSettings, path: Path, *, dim: int) -> VectorStore:
    """The store that was saved to ``path``.

    Raises:
        ArchiveCorruptError: not such a store, or one of another width.
    """
    from coin_retrieval.stores.faiss import FaissStore

    return FaissStore.load(path, dim=dim, kind=settings.kind)


def make_catalog(where: str | Path) -> Catalog:
    """A catalog to write to: an SQLite file by its path, or a SQLAlchemy URL.

    Raises:
        ArchiveCorruptError: there is something else already.
        ArchiveSchemaError: written by a newer program.
    """
    from coin_retrieval.catalog.sql import SqlCatalog

    return SqlCatalog.create(where)


def open_catalog(path: Path) -> Catalog:
    """A published catalog, for reading only.

    Raises:
        ArchiveCorruptError: missing, or not a catalog.
        ArchiveSchemaError: written by a newer program.
    """
    from coin_retrieval.catalog.sql import SqlCatalog

    return SqlCatalog.open_published(path)


def open_archive(path: Path) -> Archive:
    """The published version of an archive.

    Raises:
        NotFoundError: no archive there.
        ArchiveCorruptError: half-written, or a file is missing or cut off.
        ArchiveSchemaError: written by a newer program.
    """
    from coin_retrieval.archive import Archive, ArchiveLayout
    from coin_retrieval.archive.layout import CATALOG, MANIFEST, VECTORS
    from coin_retrieval.archive.manifest import check_sizes, read_manifest

    folder = ArchiveLayout(path).published()
    manifest = read_manifest(folder / MANIFEST)
    check_sizes(folder, manifest)
    store = open_store(manifest.store, folder / VECTORS, dim=manifest.encoder.dim)
    return Archive(path, manifest, store, open_catalog(folder / CATALOG))
