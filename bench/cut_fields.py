"""Squares of larger pictures, as folders: what is trained on, and what is judged.

    python bench/cut_fields.py MANIFEST OUT [--side 224] [--where FIELD=VALUE …]
        [--judged split=val …]

Four corners of each picture (one square where it is no larger) go to OUT/train, those of pictures
that fit --judged to OUT/judge: what ``coin train cyclegan --from OUT/train`` and
``bench/translation.py`` take.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from coin_retrieval.console.inputs import parse_where
from coin_retrieval.images.decoding import load_image
from coin_retrieval.tables.files import form_of, read_rows
from coin_retrieval.types import RgbImage


def corners(image: RgbImage, side: int) -> list[RgbImage]:
    """Its corner squares, each once."""
    height, width = image.shape[:2]
    side = min(side, height, width)
    places = {(top, left) for top in (0, height - side) for left in (0, width - side)}
    return [image[top : top + side, left : left + side] for top, left in sorted(places)]


def fits(row: Mapping[str, str], where: Mapping[str, Sequence[str]]) -> bool:
    """Whether each column has one of its values."""
    return all(row.get(name) in values for name, values in where.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("manifest", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--where", action="append", default=[])
    parser.add_argument("--judged", action="append", default=["split=val"])
    given = parser.parse_args()
    if any(given.out.glob("*/*.png")):
        parser.error(f"{given.out} holds squares of an earlier run: name an empty folder")
    wanted, judged = parse_where(given.where), parse_where(given.judged)
    counts = {"train": 0, "judge": 0}
    for _, row in read_rows(given.manifest, form_of(given.manifest)):
        if not fits(row, wanted):
            continue
        part = "judge" if fits(row, judged) else "train"
        picture = given.manifest.parent / row["image_path"]
        folder = given.out / part
        folder.mkdir(parents=True, exist_ok=True)
        for number, square in enumerate(corners(load_image(picture), given.side)):
            Image.fromarray(np.ascontiguousarray(square)).save(
                folder / f"{picture.stem}-{number}.png"
            )
            counts[part] += 1
    print(counts)


if __name__ == "__main__":
    main()
