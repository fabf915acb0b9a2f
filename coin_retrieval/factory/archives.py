"""Settings → stores and catalogs; a folder, or an address, → an opened archive."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from coin_retrieval.config import (
    CatalogSettings,
    FaissStoreSettings,
    MilvusStoreSettings,
    PostgresCatalogSettings,
    SqliteCatalogSettings,
    StoreSettings,
)
from coin_retrieval.factory.vendors import installed
from coin_retrieval.nets.imports import uncollected_imports

if TYPE_CHECKING:
    from coin_retrieval.archive import Archive, ArchiveManifest
    from coin_retrieval.catalog.base import Catalog, CatalogWriter
    from coin_retrieval.catalog.sql import SqlCatalog
    from coin_retrieval.catalog.writing import SqlCatalogWriter
    from coin_retrieval.stores.base import StoreWriter, VectorStore
    from coin_retrieval.stores.faiss import FaissStore
    from coin_retrieval.stores.faiss_writing import FaissStoreWriter
    from coin_retrieval.types import ImageIds, Location, RowMask


def make_store_writer(
    settings: StoreSettings, folder: Path, *, dim: int, space: str = ""
) -> StoreWriter:
    """An empty vector store to write; if it lies in files, then in ``folder``.

    Args:
        space: digest of the encoder's identity, which tells collections on a server apart.
    """
    if settings.backend == "milvus":
        with installed("pymilvus", package="pymilvus"):
            from coin_retrieval.stores.milvus_writing import MilvusStoreWriter
        return MilvusStoreWriter(settings, dim=dim, space=space)
    return _store_classes(settings)[0](settings, folder, dim=dim)


def open_store(
    settings: StoreSettings,
    folder: Path,
    location: Location,
    *,
    dim: int,
    alive: RowMask | None = None,
    searched: bool = True,
) -> VectorStore:
    """The store that was sealed in ``folder``, or on a server, of which ``alive`` rows are there.

    Args:
        searched: if not, it is only asked for rows by their ids, and an index is not read.

    Raises:
        ArchiveCorruptError: not such a store, or one of another width.
    """
    if settings.backend == "milvus":
        with installed("pymilvus", package="pymilvus"):
            from coin_retrieval.stores.milvus import MilvusStore
        return MilvusStore.open(settings, folder, location, dim=dim, alive=alive)
    store = _store_classes(settings)[1]
    return store.open(settings, folder, location, dim=dim, alive=alive, searched=searched)


def join_stores(stores: Sequence[VectorStore], *, dim: int) -> VectorStore:
    """Segments' stores as one."""
    from coin_retrieval.stores.joined import JoinedStore

    first = getattr(stores[0], "joined_with", None) if stores else None
    return JoinedStore(stores, dim=dim) if first is None else first(stores[1:])


def _store_classes(settings: FaissStoreSettings) -> tuple[type[FaissStoreWriter], type[FaissStore]]:
    with uncollected_imports():
        from coin_retrieval.stores.faiss import FaissStore
        from coin_retrieval.stores.faiss_writing import FaissStoreWriter
    return FaissStoreWriter, FaissStore


def make_catalog_writer(settings: CatalogSettings, folder: Path) -> CatalogWriter:
    """An empty catalog to write; if it lies in files, then in ``folder``.

    Raises:
        ArchiveCorruptError: there is something else already.
    """
    if settings.backend == "postgres":
        with installed("psycopg", package="psycopg[binary]"):
            import psycopg  # noqa: F401

            from coin_retrieval.catalog.postgres import PostgresCatalogWriter
        return PostgresCatalogWriter(settings)
    return _catalog_classes(settings)[0].create(settings, folder)


def open_catalog(
    settings: CatalogSettings,
    folder: Path,
    location: Location,
    *,
    alive: RowMask | None = None,
    row_order: ImageIds | None = None,
    held: bool = True,
) -> Catalog:
    """The catalog that was sealed in ``folder``, or on a server, of which ``alive`` rows are there.

    Args:
        row_order: the store's ids by row, for catalogs of earlier programs, which had no rows.
        held: whether what images are looked up by stays in memory once it was read.

    Raises:
        ArchiveCorruptError: missing, or not a catalog.
        ArchiveSchemaError: written by a newer program.
    """
    if settings.backend == "postgres":
        with installed("psycopg", package="psycopg[binary]"):
            import psycopg  # noqa: F401

            from coin_retrieval.catalog.postgres import PostgresCatalog
        return PostgresCatalog.open(settings, folder, location, alive=alive, held=held)
    opened = _catalog_classes(settings)[1]
    return opened.open(settings, folder, location, alive=alive, row_order=row_order, held=held)


def _catalog_classes(
    settings: SqliteCatalogSettings,
) -> tuple[type[SqlCatalogWriter], type[SqlCatalog]]:
    from coin_retrieval.catalog.sql import SqlCatalog
    from coin_retrieval.catalog.writing import SqlCatalogWriter

    return SqlCatalogWriter, SqlCatalog


def drop_others(
    store: MilvusStoreSettings,
    catalog: PostgresCatalogSettings,
    *,
    stores: Iterable[Location],
    catalogs: Iterable[Location],
) -> None:
    """Delete the segments of an archive on its servers, but those that lie at these places.

    Raises:
        ArchiveServerError: a server is away or refuses.
    """
    from coin_retrieval.catalog.postgres import drop_schemas, schemas_of
    from coin_retrieval.stores.milvus_writing import drop_other_partitions

    drop_other_partitions(store, stores)
    kept = {location.collection for location in catalogs}
    drop_schemas(catalog, [name for name in schemas_of(catalog) if name not in kept])


def point_alias(settings: MilvusStoreSettings, location: Location) -> None:
    """Let an archive's name mean the collection of its current version, on its server."""
    from coin_retrieval.stores import milvus_writing

    milvus_writing.point_alias(settings, location)


def open_archive(path: Path, *, version: str | None = None) -> Archive:
    """The published version of an archive, or another one that is kept.

    Args:
        path: its folder, or the file that names its servers.

    Raises:
        ArchiveServerError: a server is away.
        NotFoundError: no archive there, or not this version.
        ArchiveCorruptError: half-written, or a file is missing or cut off.
        ArchiveSchemaError: written by a newer program.
    """
    from coin_retrieval.archive import Archive
    from coin_retrieval.archive.layout import MANIFEST
    from coin_retrieval.archive.locks import hold
    from coin_retrieval.archive.manifest import check_sizes, read_manifest
    from coin_retrieval.archive.opening import open_layout
    from coin_retrieval.archive.segments import alive_rows, check_parsed
    from coin_retrieval.catalog.joined import JoinedCatalog

    layout = open_layout(path)
    folder = layout.published() if version is None else layout.version(version)
    manifest = read_manifest(folder / MANIFEST)
    check_sizes(layout, manifest)
    check_parsed(layout, manifest)
    dim = manifest.encoder.dim
    stores, catalogs = [], []
    for segment in manifest.segments:
        here = layout.root / segment.folder
        alive = alive_rows(folder, segment)
        store = open_store(manifest.store, here, segment.store, dim=dim, alive=alive)
        order = store.ids() if segment.earlier else None
        stores.append(store)
        catalogs.append(
            open_catalog(manifest.catalog, here, segment.catalog, alive=alive, row_order=order)
        )
    joined = join_stores(stores, dim=dim)
    if manifest.measured_recall is not None:
        joined.widen(manifest.measured_recall.width)
    lease = hold(layout, folder)
    return Archive(layout.root, manifest, joined, JoinedCatalog(catalogs), lease, layout.remote)


def open_records(path: Path, manifest: ArchiveManifest) -> Catalog:
    """An archive's records alone: nothing that vectors need is loaded.

    Raises:
        ArchiveCorruptError: they cannot be read.
    """
    from coin_retrieval.archive.opening import open_layout
    from coin_retrieval.archive.segments import alive_rows
    from coin_retrieval.catalog.joined import JoinedCatalog

    folder = open_layout(path).version(manifest.version)
    return JoinedCatalog(
        [
            open_catalog(
                manifest.catalog,
                path / segment.folder,
                segment.catalog,
                alive=alive_rows(folder, segment),
            )
            for segment in manifest.segments
        ]
    )
