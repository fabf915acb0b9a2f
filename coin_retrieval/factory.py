"""Settings → objects. Vendors are imported inside functions: none loads before it is chosen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from coin_retrieval import starter
from coin_retrieval.config import (
    CatalogSettings,
    DiffusersGeneratorSettings,
    EncoderSettings,
    FaissStoreSettings,
    FusionSettings,
    GeneratorSettings,
    MilvusStoreSettings,
    OpenClipEncoderSettings,
    PostgresCatalogSettings,
    SqliteCatalogSettings,
    StoreSettings,
)
from coin_retrieval.errors import MissingDependencyError, WeightsError
from coin_retrieval.named_settings import (
    SETTINGS_FILES,
    read_encoder,
    read_generator,
    read_settings,
)
from coin_retrieval.nets.imports import uncollected_imports

if TYPE_CHECKING:
    from coin_retrieval.archive import Archive, ArchiveManifest
    from coin_retrieval.catalog.base import Catalog, CatalogWriter
    from coin_retrieval.catalog.sql import SqlCatalog
    from coin_retrieval.catalog.writing import SqlCatalogWriter
    from coin_retrieval.encoding.base import Encoder
    from coin_retrieval.generation.joint import JointGenerator
    from coin_retrieval.prototypes.base import Prototyper
    from coin_retrieval.prototypes.drawer import PrototypeDrawer
    from coin_retrieval.search.retriever import Retriever
    from coin_retrieval.stores.base import StoreWriter, VectorStore
    from coin_retrieval.stores.faiss import FaissStore
    from coin_retrieval.stores.faiss_writing import FaissStoreWriter
    from coin_retrieval.translation.base import Translator
    from coin_retrieval.types import ImageIds, Location, RowMask


def make_encoder(settings: EncoderSettings) -> Encoder:
    """The encoder that the settings describe, its weights loaded.

    Raises:
        SettingsError: an unknown model or device.
        WeightsError: files that are missing, do not fit, or would have to be downloaded.
        MissingDependencyError: its library is not installed.
    """
    _require_starter(settings.model, starter.ENCODER)
    if settings.backend == "open_clip":
        with _installed("open_clip", package="open_clip_torch"):
            from coin_retrieval.encoding.open_clip import OpenClipEncoder
        return OpenClipEncoder(settings)
    with _installed("timm", package="timm"):
        from coin_retrieval.encoding.timm import TimmEncoder
    return TimmEncoder(settings)


def make_generator(settings: GeneratorSettings) -> Prototyper:
    """The generator that the settings describe, its weights loaded.

    Raises:
        SettingsError: an unknown scheduler or device.
        WeightsError: files that are missing, do not fit, or would have to be downloaded.
        LoraError: LoRA keys that match no layer.
        MissingDependencyError: its library is not installed.
    """
    _require_starter(settings.model, starter.GENERATOR)
    with _installed("diffusers", package="diffusers transformers peft"):
        from coin_retrieval.generation.diffusers import DiffusersGenerator
    return DiffusersGenerator(settings)


def make_layout_generator(directory: Path) -> JointGenerator:
    """What draws from layouts of nuclei: a directory that ``coin train joint`` wrote.

    Raises:
        WeightsError: no such model.
    """
    from coin_retrieval.generation.joint import JointGenerator

    return JointGenerator(directory)


def make_translator(model: Path) -> Translator:
    """A directory that ``coin train cyclegan`` wrote, or a file of settings of style transfer.

    Raises:
        SettingsError: settings that cannot be read.
        WeightsError: no such model, or weights that do not fit.
    """
    if model.suffix.lower() not in SETTINGS_FILES:
        from coin_retrieval.translation.cyclegan import CycleGanTranslator

        return CycleGanTranslator(model)
    from coin_retrieval.translation.style_transfer import (
        StyleTransferSettings,
        StyleTransferTranslator,
    )

    return StyleTransferTranslator(read_settings(StyleTransferSettings, model))


def starter_encoder_settings() -> OpenClipEncoderSettings:
    """The embedded default encoder."""
    return OpenClipEncoderSettings(model=str(starter.ENCODER), text_tower="minilm")


def starter_generator_settings() -> DiffusersGeneratorSettings:
    """The embedded default generator."""
    return DiffusersGeneratorSettings(model=str(starter.GENERATOR), text_encoder="minilm")


def parse_encoder(text: str) -> EncoderSettings:
    """An encoder by its short name, as the command lines take it.

    ``starter``, ``open_clip:NAME@TAG``, ``open_clip:/directory``, ``hf-hub:organisation/model``
    (an open_clip model), ``timm:NAME?checkpoint=FILE&num_classes=1001&mean=0.5,0.5,0.5``,
    ``timm:/directory``, ``timm:hf-hub:organisation/model``, or a JSON or YAML file of settings.
    ``?name=value&…`` sets any field; for timm, other names go to ``model_args``.

    Raises:
        SettingsError: none of these, or a value out of range.
    """
    return read_encoder(text, default=starter_encoder_settings())


def parse_generator(text: str) -> GeneratorSettings:
    """A generator by its short name, as the command lines take it.

    ``starter``, a directory, a hub id, each with ``?lora=FILE&steps=20&…``, or a JSON or YAML file
    of settings.

    Raises:
        SettingsError: none of these, or a value out of range.
    """
    return read_generator(text, default=starter_generator_settings())


def _require_starter(model: str, directory: Path) -> None:
    if model == str(directory) and not directory.is_dir():
        raise WeightsError(
            "the embedded default model is not here",
            value=str(directory),
            expected="the weights that come with coin-retrieval",
            remedy="reinstall coin-retrieval, train it (coin train), or name another model",
        )


@contextmanager
def _installed(module: str, *, package: str) -> Iterator[None]:
    try:
        with uncollected_imports():
            yield
    except ImportError as error:
        raise MissingDependencyError(
            f"this backend needs {module} ({error})", remedy=f"pip install {package}"
        ) from error


def make_store_writer(
    settings: StoreSettings, folder: Path, *, dim: int, space: str = ""
) -> StoreWriter:
    """An empty vector store to write; if it lies in files, then in ``folder``.

    Args:
        space: digest of the encoder's identity, which tells collections on a server apart.
    """
    if settings.backend == "milvus":
        with _installed("pymilvus", package="pymilvus"):
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
) -> VectorStore:
    """The store that was sealed in ``folder``, or on a server, of which ``alive`` rows are there.

    Raises:
        ArchiveCorruptError: not such a store, or one of another width.
    """
    if settings.backend == "milvus":
        with _installed("pymilvus", package="pymilvus"):
            from coin_retrieval.stores.milvus import MilvusStore
        return MilvusStore.open(settings, folder, location, dim=dim, alive=alive)
    return _store_classes(settings)[1].open(settings, folder, location, dim=dim, alive=alive)


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
        with _installed("psycopg", package="psycopg[binary]"):
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
) -> Catalog:
    """The catalog that was sealed in ``folder``, or on a server, of which ``alive`` rows are there.

    Args:
        row_order: the store's ids by row, for catalogs of earlier programs, which had no rows.

    Raises:
        ArchiveCorruptError: missing, or not a catalog.
        ArchiveSchemaError: written by a newer program.
    """
    if settings.backend == "postgres":
        with _installed("psycopg", package="psycopg[binary]"):
            import psycopg  # noqa: F401

            from coin_retrieval.catalog.postgres import PostgresCatalog
        return PostgresCatalog.open(settings, folder, location, alive=alive)
    opened = _catalog_classes(settings)[1]
    return opened.open(settings, folder, location, alive=alive, row_order=row_order)


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
    from coin_retrieval.archive.manifest import check_sizes, read_manifest
    from coin_retrieval.archive.opening import open_layout
    from coin_retrieval.archive.readers import hold
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


def make_drawer(
    generator: GeneratorSettings, *, cache_dir: Path, cache_bytes: int | None = None
) -> PrototypeDrawer:
    """A drawer of prototypes, for which no archive is needed. Raises as the generator does."""
    from coin_retrieval.prototypes.cache import PrototypeCache
    from coin_retrieval.prototypes.drawer import PrototypeDrawer

    return PrototypeDrawer(
        make_generator(generator), PrototypeCache(cache_dir, max_bytes=cache_bytes)
    )


def make_retriever(
    archive: Archive,
    *,
    cache_dir: Path,
    cache_bytes: int | None = None,
    encoder: EncoderSettings | None = None,
    generator: GeneratorSettings | None = None,
    fusion: FusionSettings | None = None,
    drawn_together: int | None = None,
) -> Retriever:
    """A retriever on an opened archive.

    Args:
        cache_dir: where prototypes are kept.
        cache_bytes: beyond it, those go that were not used for longest; ``None`` keeps all.
        encoder: ``None`` takes the one that built the archive.
        generator: ``None`` searches by text and image only.
        drawn_together: pictures that several threads' searches are drawn in one batch, at most;
            ``None`` draws for one search at a time, in the generator's own batches.
        fusion: ``None`` takes what the archive was calibrated to, else the defaults.

    Raises:
        EncoderMismatchError: the encoder named is not the archive's.
        ModelError: weights that cannot be used.
    """
    from coin_retrieval.prototypes.cache import PrototypeCache
    from coin_retrieval.prototypes.shared import SharedPrototyper
    from coin_retrieval.search.retriever import Retriever

    draws = make_generator(generator) if generator else None
    if draws is not None and drawn_together is not None:
        draws = SharedPrototyper(draws, batch_size=drawn_together)
    return Retriever(
        archive,
        make_encoder(encoder or archive.manifest.encoder_settings),
        draws,
        PrototypeCache(cache_dir, max_bytes=cache_bytes),
        fusion,
    )
