"""Small pictures, manifests and archives that tests build for real."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from coin_retrieval.config import OpenClipEncoderSettings
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.named_settings import read_catalog, read_store
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
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
) -> BuildReport:
    """Build with histograms, unless another encoder is given; store and catalog by short names."""
    settings = BuildSettings(LABEL, read_store(store), batch_size, 2, read_catalog(catalog))
    batch = read_sources(sources, archive=root, where=where or {})
    return build(
        root, batch, encoder=encoder or HistogramEncoder(), settings=settings, where=where or {}
    )
