"""Whether a picture of another scale is found better once it is searched with at the archive's.

    python bench/like_scale.py CASES.csv [--pictures 300] [--field 0.6]

An archive is made of the middle (`--field` of the side) of each picture, with its scale. A picture
is then asked with at other fields about the same middle, wider and narrower, with and without its
micrometres a pixel: how often its own middle is the nearest case, and how often one of its label is
(the middle of the picture itself left out). Only pictures of the split `val` are taken, which the
starter was not trained on.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
from measuring import show

import coin_retrieval
from coin_retrieval.files import replace_file
from coin_retrieval.images.decoding import load_image
from coin_retrieval.images.png import encode_png
from coin_retrieval.types import RgbImage
from indexer import build

MPP_UM = 0.25
APART = (0.5, 0.67, 0.8, 1.25, 1.5, 1.67)
"""Fields that are asked with, of the archive's."""


def main() -> None:
    options_of = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options_of.add_argument("cases", type=Path)
    options_of.add_argument("--pictures", type=int, default=300)
    options_of.add_argument("--field", type=float, default=0.6)
    options_of.add_argument("--json", action="store_true")
    options = options_of.parse_args()
    with options.cases.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val"]
    chosen = sorted(np.random.default_rng(1).permutation(len(rows))[: options.pictures])
    pictures = {
        rows[n]["case_id"]: load_image(options.cases.parent / rows[n]["image_path"]) for n in chosen
    }
    labels = {rows[n]["case_id"]: rows[n]["finding"] for n in chosen}
    with tempfile.TemporaryDirectory() as folder:
        archive = archive_of(pictures, labels, Path(folder), options.field)
        with coin_retrieval.open(archive, generator=None) as found:
            table = {
                f"{apart:g}": asked(found, pictures, labels, options.field * apart)
                for apart in (1.0, *APART)
                if options.field * apart <= 1
            }
    result = {"pictures": len(pictures), "field": options.field}
    show(result | table, {"field of the archive's": table}, as_json=options.json)


def middle(image: RgbImage, share: float) -> RgbImage:
    """So much of each side, about the centre."""
    height, width = image.shape[:2]
    high, wide = round(share * height), round(share * width)
    top, left = (height - high) // 2, (width - wide) // 2
    return np.ascontiguousarray(image[top : top + high, left : left + wide])


def archive_of(
    pictures: dict[str, RgbImage], labels: dict[str, str], folder: Path, field: float
) -> Path:
    for number, image in enumerate(pictures.values()):
        replace_file(folder / f"{number}.png", encode_png(middle(image, field)))
    with (folder / "cases.csv").open("w", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["image_path", "case_id", "finding", "mpp_um"])
        for number, case in enumerate(pictures):
            table.writerow([f"{number}.png", case, labels[case], MPP_UM])
    build(folder / "archive", [folder / "cases.csv"])
    return folder / "archive"


def asked(
    archive: Any, pictures: dict[str, RgbImage], labels: dict[str, str], share: float
) -> dict[str, float]:
    figures: dict[str, list[bool]] = {}
    for case, image in pictures.items():
        for name, mpp_um in (("as it is", None), ("at like scale", MPP_UM)):
            found = archive.search(image=middle(image, share), image_mpp_um=mpp_um, k=5).found
            nearest = [*found.own, *found.cases]
            nearest.sort(key=lambda match: -match.similarity)
            own = nearest[0].case.case_id == case
            others = [match for match in nearest if match.case.case_id != case]
            alike = labels[others[0].case.case_id] == labels[case]
            figures.setdefault(f"itself, {name}", []).append(own)
            figures.setdefault(f"its label, {name}", []).append(alike)
    return {name: round(fmean(values), 3) for name, values in figures.items()}


if __name__ == "__main__":
    main()
