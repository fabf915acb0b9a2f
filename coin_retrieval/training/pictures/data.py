"""Training pictures, packed: decoded once, squared, kept as one uint8 array in memory."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from rich.progress import track
from torch import Tensor

from coin_retrieval.errors import CaseTableError
from coin_retrieval.files import replacing
from coin_retrieval.images.decoding import load_image
from coin_retrieval.images.resizing import fit_square
from coin_retrieval.tables.cases import CaseRow, read_case_table
from coin_retrieval.types import content_digest


@dataclass(frozen=True)
class PackedCases:
    """Rows and their pictures: ``pixels`` is uint8 [n side side 3]."""

    rows: tuple[CaseRow, ...]
    pixels: np.ndarray

    def batch(self, indices: np.ndarray) -> Tensor:
        """Float32 [b 3 side side] in [-1, 1], channels last in memory."""
        chosen = torch.from_numpy(self.pixels[indices])
        return chosen.permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def load_cases(tables: Sequence[Path], *, side_px: int, split: str, cache: Path) -> PackedCases:
    """Read the rows of one split and their pictures, squared to ``side_px``.

    The packed pixels are kept in ``cache`` under a digest of what they were made from.

    Raises:
        CaseTableError: no row of that split.
        ImageError: a picture cannot be read.
    """
    rows = tuple(
        row
        for table in tables
        for row in read_case_table(table)
        if row.attributes.get("split", "train") == split
    )
    if not rows:
        raise CaseTableError("no training rows", value=split, expected="rows with that split")
    stamps = [[str(row.image_path), row.image_path.stat().st_size] for row in rows]
    file = cache / f"{content_digest({'side_px': side_px, 'files': stamps})[:16]}.npy"
    if not file.exists():
        with replacing(file) as aside, aside.open("wb") as opened:
            np.save(opened, _decode(rows, side_px))
    return PackedCases(rows, np.load(file, mmap_mode="r"))


def _decode(rows: Sequence[CaseRow], side_px: int) -> np.ndarray:
    pixels = np.empty((len(rows), side_px, side_px, 3), np.uint8)
    with ThreadPoolExecutor() as pool:
        decoded = pool.map(lambda row: fit_square(load_image(row.image_path), side_px), rows)
        for index, image in enumerate(track(decoded, "packing pictures", len(rows))):
            pixels[index] = image
    return pixels
