"""Pictures with the outlines of their nuclei, from a manifest, cut into squares as they come."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from coin_retrieval.errors import CaseTableError
from coin_retrieval.images.decoding import load_image, read_bytes
from coin_retrieval.images.resizing import resize
from coin_retrieval.metrics.instances import (
    NUCLEUS,
    InstanceMap,
    Points,
    centroids,
    distance_map,
    measure,
    renumbered,
)
from coin_retrieval.tables.files import columns_of, form_of, read_rows
from coin_retrieval.types import RgbImage

_HELD_OUT_OF = 4


@dataclass(frozen=True)
class Tile:
    """A picture uint8 [h w 3], its nuclei, what each pixel is, and what kind its nuclei are.

    ``held_out`` is told by the digest of the picture's file, so that no run trains on what another
    is judged by.
    """

    name: str
    image: RgbImage
    instances: InstanceMap
    labels: NDArray[np.uint8]
    distances: NDArray[np.float32]
    kind: str
    setting: str
    held_out: bool


@dataclass(frozen=True)
class Square:
    """A part of a tile; ``points`` are the centres of its nuclei that lie within it, px."""

    image: RgbImage
    instances: InstanceMap
    labels: NDArray[np.uint8]
    distances: NDArray[np.float32]
    points: Points
    kind: str
    setting: str


def read_tiles(manifest: Path, *, labels: Sequence[str], scale: float, side_px: int) -> list[Tile]:
    """All tiles of a manifest, resized by ``scale`` and at least one square large.

    Columns: ``image_path``; ``instance_path`` (an integer a nucleus) or ``label_path`` (the number
    of a label a pixel, 1 the nucleus: a picture of one cell, whose nucleus may have lobes);
    ``kind``, else ``diagnosis``, else every nucleus is of the kind "nucleus"; ``organ``, ``site``
    and ``stain`` are named in prompts.

    Raises:
        CaseTableError: a column is missing, or a label map fits no picture or has other labels.
        ImageError: a picture that cannot be read.
    """
    form = form_of(manifest)
    columns = columns_of(manifest, form)
    if "image_path" not in columns or not {"instance_path", "label_path"} & set(columns):
        raise CaseTableError(
            f"{manifest} names no outlines",
            value=list(columns),
            expected="image_path, and instance_path or label_path",
            remedy="add the column: an integer PNG of each picture's size",
        )
    found = [
        _read(manifest, line, row, labels=labels, scale=scale, side_px=side_px)
        for line, row in read_rows(manifest, form)
    ]
    if not found:
        raise CaseTableError(f"{manifest} has no rows", expected="pictures with outlines")
    return found


def known_tiles(
    manifest: Path, *, labels: Sequence[str], kinds: Sequence[str], scale: float, side_px: int
) -> tuple[list[Tile], list[Tile]]:
    """The tiles that are trained on, and those that are held out; see :func:`read_tiles`.

    Raises:
        CaseTableError: one is of a kind that nobody named, or none is left to train on.
    """
    every = read_tiles(manifest, labels=labels, scale=scale, side_px=side_px)
    unknown = sorted({tile.kind for tile in every} - set(kinds))
    if unknown:
        raise CaseTableError(
            "nuclei of a kind that the model does not know",
            value=", ".join(unknown),
            expected=f"kinds: {', '.join(kinds)}",
            remedy="add it to config.kinds of the recipe",
        )
    training = [tile for tile in every if not tile.held_out]
    if not training:
        raise CaseTableError("no tiles are left", value=len(every), expected="some tens at least")
    return training, [tile for tile in every if tile.held_out]


def _read(
    manifest: Path,
    line: int,
    row: Mapping[str, str],
    *,
    labels: Sequence[str],
    scale: float,
    side_px: int,
) -> Tile:
    picture = manifest.parent / row["image_path"]
    outlines = manifest.parent / (row.get("instance_path") or row.get("label_path", ""))
    image = load_image(picture)
    given = np.asarray(Image.open(outlines)) if outlines.is_file() else np.zeros(())
    if given.shape != image.shape[:2] or not np.issubdtype(given.dtype, np.integer):
        raise CaseTableError(
            f"{manifest}, line {line}: the outlines fit no picture",
            value=f"{outlines.name}: {' × '.join(map(str, given.shape[::-1])) or 'missing'}",
            expected=f"integers, {image.shape[1]} × {image.shape[0]}, as {picture.name}",
            remedy="correct the path, or export the outlines at the picture's size",
        )
    semantic = "instance_path" not in row or not row["instance_path"]
    if semantic and given.max() >= len(labels):
        raise CaseTableError(
            f"{manifest}, line {line}: a label that nobody named",
            value=int(given.max()),
            expected=f"0 to {len(labels) - 1}: {', '.join(labels)}",
            remedy="name all labels in the recipe",
        )
    height, width = (max(side_px, round(side * scale)) for side in given.shape)
    nearest = np.asarray(Image.fromarray(given.astype(np.int32)).resize((width, height), 0))
    instances = renumbered(nearest == NUCLEUS) if semantic else renumbered(nearest)
    return Tile(
        name=row["image_path"],
        image=resize(image, width, height),
        instances=instances,
        labels=(nearest if semantic else nearest > 0).astype(np.uint8),
        distances=distance_map(instances),
        kind=row.get("kind") or row.get("diagnosis") or "nucleus",
        setting=", ".join(row[name] for name in ("organ", "site", "stain") if row.get(name)),
        held_out=hashlib.sha256(read_bytes(picture)).digest()[0] % _HELD_OUT_OF == 0,
    )


def cut(tile: Tile, side_px: int, random: np.random.Generator) -> Square:
    """A square of a tile at random, in one of eight orientations."""
    height, width = tile.labels.shape
    top = int(random.integers(height - side_px + 1))
    left = int(random.integers(width - side_px + 1))
    turns, flipped = int(random.integers(4)), bool(random.integers(2))

    def own(values: NDArray[np.generic]) -> NDArray[np.generic]:
        part = np.rot90(values[top : top + side_px, left : left + side_px], turns)
        return np.ascontiguousarray(part[:, ::-1] if flipped else part)

    instances = renumbered(own(tile.instances))
    return Square(
        image=own(tile.image),  # type: ignore[arg-type]
        instances=instances,
        labels=own(tile.labels),  # type: ignore[arg-type]
        distances=own(tile.distances),  # type: ignore[arg-type]
        points=centroids(instances),
        kind=tile.kind,
        setting=tile.setting,
    )


@dataclass(frozen=True)
class Descriptions:
    """Words for size and crowding: the outer thirds of what these tiles show."""

    small: float
    large: float
    scattered: float
    crowded: float

    @classmethod
    def of(cls, squares: Sequence[Square]) -> Descriptions:
        """The thirds of squares that have nuclei."""
        measured = [measure(square.instances) for square in squares]
        sizes = [one.diameter for one in measured if one.count] or [0.0]
        counts = [one.count for one in measured]
        return cls(*np.quantile(sizes, [1 / 3, 2 / 3]), *np.quantile(counts, [1 / 3, 2 / 3]))

    def of_square(self, square: Square) -> tuple[str, ...]:
        """Its words, each of which a prompt may leave out."""
        seen = measure(square.instances)
        words = []
        if seen.count and self.small < self.large:
            words += ["small nuclei"] if seen.diameter < self.small else []
            words += ["large nuclei"] if seen.diameter > self.large else []
        if self.scattered < self.crowded:
            words += ["scattered nuclei"] if seen.count < self.scattered else []
            words += ["crowded nuclei"] if seen.count > self.crowded else []
        if square.kind != "nucleus":
            words.append(square.kind)
        return (*words, *([square.setting] if square.setting else []))


def prompt_of(words: Sequence[str]) -> str:
    """Words as a prompt."""
    return ", ".join(words)
