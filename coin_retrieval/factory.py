"""Settings → objects. Vendors are imported inside functions: none loads before it is chosen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from coin_retrieval import starter
from coin_retrieval.config import (
    CatalogSettings,
    DiffusersGeneratorSettings,
    EncoderSettings,
    FusionSettings,
    GeneratorSettings,
    OpenClipEncoderSettings,
    StoreSettings,
)
from coin_retrieval.errors import MissingDependencyError, WeightsError
from coin_retrieval.named_settings import read_encoder, read_generator
from coin_retrieval.nets.imports import uncollected_imports

if TYPE_CHECKING:
    from coin_retrieval.archive import Archive
    from coin_retrieval.catalog.base import Catalog
    from coin_retrieval.encoding.base import Encoder
    from coin_retrieval.prototypes.base import Prototyper
    from coin_retrieval.prototypes.drawer import PrototypeDrawer
    from coin_retrieval.search.retriever import Retriever
    from coin_retrieval.stores.base import VectorStore
    from coin_retrieval.types import Location


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


def make_store(settings: StoreSettings, *, dim: int) -> VectorStore:
    """An empty vector store."""
    return _store_class(settings).create(settings, dim=dim)


def open_store(
    settings: StoreSettings, folder: Path, location: Location, *, dim: int
) -> VectorStore:
    """The store that was sealed in ``folder``, or on a server.

    Raises:
        ArchiveCorruptError: not such a store, or one of another width.
    """
    return _store_class(settings).open(settings, folder, location, dim=dim)


def _store_class(settings: StoreSettings) -> type[VectorStore]:
    with uncollected_imports():
        from coin_retrieval.stores.faiss import FaissStore
    return FaissStore


def make_catalog(settings: CatalogSettings, folder: Path) -> Catalog:
    """An empty catalog to write to; if it lies in files, then in ``folder``.

    Raises:
        ArchiveCorruptError: there is something else already.
    """
    return _catalog_class(settings).create(settings, folder)


def open_catalog(settings: CatalogSettings, folder: Path, location: Location) -> Catalog:
    """The catalog that was sealed in ``folder``, or on a server, for reading only.

    Raises:
        ArchiveCorruptError: missing, or not a catalog.
        ArchiveSchemaError: written by a newer program.
    """
    return _catalog_class(settings).open(settings, folder, location)


def _catalog_class(settings: CatalogSettings) -> type[Catalog]:
    from coin_retrieval.catalog.sql import SqlCatalog

    return SqlCatalog


def open_archive(path: Path) -> Archive:
    """The published version of an archive.

    Raises:
        NotFoundError: no archive there.
        ArchiveCorruptError: half-written, or a file is missing or cut off.
        ArchiveSchemaError: written by a newer program.
    """
    from coin_retrieval.archive import Archive, ArchiveLayout
    from coin_retrieval.archive.layout import MANIFEST
    from coin_retrieval.archive.manifest import check_sizes, read_manifest

    folder = ArchiveLayout(path).published()
    manifest = read_manifest(folder / MANIFEST)
    check_sizes(folder, manifest)
    store = open_store(manifest.store, folder, manifest.store_location, dim=manifest.encoder.dim)
    catalog = open_catalog(manifest.catalog, folder, manifest.catalog_location)
    return Archive(path, manifest, store, catalog)


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
