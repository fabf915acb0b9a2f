"""Small pictures, manifests and archives that tests build for real."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from coin_retrieval.archive import ArchiveLayout
from coin_retrieval.archive.manifest import read_manifest, seal, write_manifest
from coin_retrieval.archive.opening import open_layout
from coin_retrieval.catalog.base import Catalog
from coin_retrieval.config import FaissStoreSettings, OpenClipEncoderSettings, SqliteCatalogSettings
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.factory import (
    make_catalog_writer,
    make_store_writer,
    open_archive,
    open_catalog,
    open_store,
)
from coin_retrieval.named_settings import read_catalog, read_store
from coin_retrieval.progress import Progress, silent
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
from coin_retrieval.types import CaseRecord, Embeddings, ImageIds, ImageRecord
from indexer.building import BuildReport, BuildSettings, build
from indexer.rows import read_sources

LABEL = OpenClipEncoderSettings(model="histogram")
"""Stands in the manifest for settings: the histogram encoder needs none."""


def write_picture(path: Path, *, seed: int, side_px: int = 24) -> Path:
    """A picture of one random colour with noise; its format is its suffix."""
    rng = np.random.default_rng(seed)
    colour = rng.integers(30, 225, 3)
    noise = rng.integers(-25, 25, (side_px, side_px + 4, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((colour + noise).astype(np.uint8)).save(path)
    return path


def write_pictures(folder: Path, n: int, *, first_seed: int = 0) -> Path:
    """``n`` different pictures ``cell_000.png`` …; returns the folder."""
    for number in range(n):
        write_picture(folder / f"cell_{number:03d}.png", seed=first_seed + number)
    return folder


def write_table(path: Path, rows: Sequence[Mapping[str, str]]) -> Path:
    """A CSV manifest with the columns that the rows have between them."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def build_archive(
    root: Path,
    *sources: Path,
    encoder: Encoder | None = None,
    where: Mapping[str, Sequence[str]] | None = None,
    store: str = "flat",
    catalog: str = "sqlite",
    batch_size: int = 8,
    drop: bool = False,
    max_skipped: float = 0.1,
    rehash: bool = False,
    on: Progress = silent,
) -> BuildReport:
    """Build with histograms, unless another encoder is given; store and catalog by short names."""
    remote = open_layout(root).remote
    of_store = remote.store if remote else read_store(store)
    of_catalog = remote.catalog if remote else read_catalog(catalog)
    settings = BuildSettings(LABEL, of_store, batch_size, 2, of_catalog, drop, max_skipped, rehash)
    batch = read_sources(sources, archive=root, where=where or {})
    return build(
        root,
        batch,
        encoder=encoder or HistogramEncoder(),
        settings=settings,
        where=where or {},
        on=on,
    )


def store_of(folder: Path, ids: ImageIds, rows: Embeddings) -> VectorStore:
    """A sealed store of these rows, scanned exactly."""
    folder.mkdir(parents=True, exist_ok=True)
    settings, dim = FaissStoreSettings(), rows.shape[1]
    writer = make_store_writer(settings, folder, dim=dim)
    writer.add(ids, rows)
    return open_store(settings, folder, writer.seal(), dim=dim)


def catalog_of(folder: Path, cases: Iterable[CaseRecord], images: Iterable[ImageRecord]) -> Catalog:
    """A sealed catalog of these records."""
    folder.mkdir(parents=True, exist_ok=True)
    writer = make_catalog_writer(SqliteCatalogSettings(), folder)
    writer.put(cases, images)
    return open_catalog(SqliteCatalogSettings(), folder, writer.seal())


def rewrite_vectors(
    root: Path, change: Callable[[ImageIds, Embeddings], tuple[ImageIds, Embeddings]]
) -> None:
    """Write the vectors of an archive's only segment otherwise, sealed as if they were meant."""
    layout = ArchiveLayout(root)
    path = layout.published() / "manifest.json"
    manifest = read_manifest(path)
    (segment,) = manifest.segments
    folder = root / segment.folder
    with open_archive(root) as archive:
        ids, rows = change(archive.store.ids(), archive.store.vectors(archive.store.ids()))
    writer = make_store_writer(manifest.store, folder, dim=manifest.encoder.dim)
    writer.add(ids, rows)
    writer.seal()
    files = {name: seal(folder / name) for name in segment.files}
    segments = (segment.model_copy(update={"files": files}),)
    write_manifest(manifest.model_copy(update={"segments": segments}), path)
