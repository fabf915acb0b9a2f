"""Builds and changes archives, offline: the program ``coin-index``, and :func:`build`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from coin_retrieval.progress import Progress, silent

if TYPE_CHECKING:
    from pathlib import Path

    from coin_retrieval.config import CatalogSettings, EncoderSettings, StoreSettings
    from coin_retrieval.encoding.base import Encoder
    from indexer.building import BuildReport
    from indexer.choices import BatchSize, Engine, Normalising
    from indexer.tiling.settings import Tiling

__all__ = ["add", "build"]

AnyPath: TypeAlias = "str | os.PathLike[str]"

WORKERS = min(16, (os.cpu_count() or 2) + 1)
"""That read and decode pictures, where nobody says how many."""

MAX_SKIPPED = 0.1
"""The share of a source's rows that may be unreadable."""


def build(
    archive: AnyPath,
    sources: AnyPath | Iterable[AnyPath],
    *,
    encoder: str | EncoderSettings | None = None,
    store: str | StoreSettings | None = None,
    catalog: str | CatalogSettings | None = None,
    first_encoder: str = "starter",
    where: Mapping[str, str | Sequence[str]] | None = None,
    pseudonym_key: bytes | None = None,
    columns: Mapping[str, str] | None = None,
    tiling: Tiling | None = None,
    batch_size: BatchSize = "auto",
    workers: int = WORKERS,
    drop: bool = False,
    max_skipped: float = MAX_SKIPPED,
    rehash: bool = False,
    engine: Engine = "local",
    normalise: Normalising = "auto",
    on: Progress = silent,
) -> BuildReport:
    """Index sources as the archive's next version: it then holds exactly these cases.

    Pictures that were embedded before are not again. A build that was stopped resumes.

    Args:
        archive: its folder; made if need be.
        sources: folders, manifests of cases (.csv, .xlsx, .jsonl, .parquet), or files that hold
            several pictures: slides, DICOM instances, tars.
        encoder: by a short name or as settings; by default the archive's own.
        batch_size: pictures that pass the encoder together; by default 32, on a GPU 256.
        workers: threads that read and decode pictures ahead of the encoder.
        first_encoder: of an archive that has none yet, if none is named.
        store: by a short name such as ``hnsw?ef=256`` or as settings; by default the archive's own,
            or an exact one.
        catalog: likewise; by default the archive's own, or SQLite.
        where: only rows that fit: fields and the values that they may have.
        pseudonym_key: patients and slides are kept as hashes under this key (HMAC-SHA256), which
            the archive does not hold; at least 16 bytes.
        columns: what manifests call a column, by our name for it: ``{"diagnosis": "Final Dx"}``.
        tiling: how slides are cut.
        drop: let cases go that the sources do not name, however many.
        max_skipped: the share of a source's rows that may be unreadable.
        rehash: read files again whose size and time of change are as they were.
        engine: what embeds: this process, or ``ray``: all GPUs or processors of a machine or of the
            cluster that RAY_ADDRESS names.
        normalise: ``stain`` moves the pictures' colours to those that the starter knows of their
            site; ``auto`` tries that and another scale where an archive begins with the starter
            and findings are named, and keeps what surely finds more of them; an archive keeps what
            it began with.
        on: told how far it is.

    Raises:
        ArchiveBusyError: another process builds it.
        ArchiveSchemaError: a newer program wrote it; it is left alone.
        ArchiveError: the disk is full, or may not be written.
        CaseTableError, FilterError, InputError: sources that cannot be used as they are, or that
            would lose cases.
        SettingsError, ModelError: an encoder or a store that cannot be.
    """
    from coin_retrieval.archive.opening import open_layout
    from indexer import building
    from indexer.changing import refuse_foreign_folder
    from indexer.choices import choose_batch_size, choose_settings, own_manifest
    from indexer.normalising import normalise as normalised
    from indexer.rows import read_sources

    root, paths, wanted, key = _read(archive, sources, where, pseudonym_key)
    chosen = choose_settings(
        root, encoder=encoder, store=store, catalog=catalog, first_encoder=first_encoder
    )
    of_encoder, of_store, of_catalog = chosen
    rows = read_sources(
        paths, archive=root, where=wanted, pseudonym_key=key, columns=columns, tiling=tiling
    )
    own = own_manifest(root)
    before = own.encoder_settings if own else None
    of_encoder, rows = normalised(of_encoder, rows, how=normalise, own=before, on=on)
    batch = choose_batch_size(batch_size, of_encoder)
    settings = building.BuildSettings(
        of_encoder, of_store, batch, workers, of_catalog, drop, max_skipped, rehash, engine
    )
    refuse_foreign_folder(open_layout(root).root)
    loaded = _loaded(of_encoder, on)
    return building.build(root, rows, encoder=loaded, settings=settings, where=wanted, on=on)


def add(
    archive: AnyPath,
    sources: AnyPath | Iterable[AnyPath],
    *,
    where: Mapping[str, str | Sequence[str]] | None = None,
    pseudonym_key: bytes | None = None,
    columns: Mapping[str, str] | None = None,
    tiling: Tiling | None = None,
    batch_size: BatchSize = "auto",
    workers: int = WORKERS,
    max_skipped: float = MAX_SKIPPED,
    rehash: bool = False,
    on: Progress = silent,
) -> BuildReport:
    """Index sources besides what the archive holds, as its next version; nothing is dropped.

    What it costs depends on what is added. Arguments are those of :func:`build`; the archive's own
    encoder, store and catalog are used.

    Raises:
        NotFoundError: no archive there.
        ArchiveBusyError, ArchiveSchemaError, ArchiveError, CaseTableError, FilterError, InputError,
        SettingsError, ModelError: see :func:`build`.
    """
    from indexer import building
    from indexer.choices import choose_batch_size, own_settings
    from indexer.rows import read_sources

    root, paths, wanted, key = _read(archive, sources, where, pseudonym_key)
    of_encoder, of_store, of_catalog = own_settings(root)
    batch = choose_batch_size(batch_size, of_encoder)
    settings = building.BuildSettings(
        of_encoder, of_store, batch, workers, of_catalog, False, max_skipped, rehash
    )
    rows = read_sources(
        paths, archive=root, where=wanted, pseudonym_key=key, columns=columns, tiling=tiling
    )
    loaded = _loaded(of_encoder, on)
    return building.add(root, rows, encoder=loaded, settings=settings, on=on)


def _read(
    archive: AnyPath,
    sources: AnyPath | Iterable[AnyPath],
    where: Mapping[str, str | Sequence[str]] | None,
    pseudonym_key: bytes | None,
) -> tuple[Path, list[Path], dict[str, tuple[str, ...]], bytes | None]:
    """What callers say, in one form."""
    from coin_retrieval.files import as_path
    from indexer.cases.pseudonyms import check_key

    wanted = {name: (v,) if isinstance(v, str) else tuple(v) for name, v in (where or {}).items()}
    key = None if pseudonym_key is None else check_key(pseudonym_key)
    return as_path(archive), [as_path(source) for source in _each(sources)], wanted, key


def _loaded(settings: EncoderSettings, on: Progress) -> Encoder:
    from coin_retrieval.factory import make_encoder

    on("loading the encoder", 0, 1)
    encoder = make_encoder(settings)
    on("loading the encoder", 1, 1)
    return encoder


def _each(sources: AnyPath | Iterable[AnyPath]) -> Iterable[AnyPath]:
    if isinstance(sources, (str, os.PathLike)) or not isinstance(sources, Iterable):
        return (sources,)
    return sources
