"""How near do translations of histology come to real cytology?

    python bench/translation.py --from HISTOLOGY/judge --to CYTOLOGY/judge --fit CYTOLOGY/train
        --translator runs/cyclegan/model --translator style.yaml … --space timm:…?checkpoint=FILE
        [--sample 100] [--sheet FILE]

Folders or manifests, such as ``bench/cut_fields.py`` cuts.

Rows: histology as it is, moved to the mean and deviation of the cytology's colours (Reinhard et al.
2001, doi 10.1109/38.946629), and by each translator; as a floor, other real cytology. Three draws
of ``--sample`` pictures, each translated in another orientation; mean and range.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from coin_retrieval.encoding.showing import shown
from coin_retrieval.encoding.stains import colours_of, stain_map
from coin_retrieval.evaluation.pictures.picture_sets import read_pictures
from coin_retrieval.evaluation.pictures.spaces import open_space
from coin_retrieval.factory import make_translator
from coin_retrieval.images.decoding import load_image
from coin_retrieval.images.resizing import fit_square
from coin_retrieval.metrics.frechet import frechet_distance
from coin_retrieval.metrics.kernel_distance import kernel_distance
from coin_retrieval.nets.cyclegan import load_direction
from coin_retrieval.translation.base import Translator
from coin_retrieval.types import PictureSource, RgbImage

RUNS = 3


def squares(pictures: Path, side_px: int) -> list[RgbImage]:
    rows = read_pictures([pictures]).rows
    return [fit_square(load_image(row.image_path), side_px) for row in rows]


def recoloured(images: list[RgbImage], like: list[RgbImage]) -> list[RgbImage]:
    """Each picture with the mean and deviation of the others' optical densities."""
    there = colours_of(like)
    return [shown(image, stain_map(colours_of([image]), there)) for image in images]


def by(translator: Translator, seed: int) -> Callable[[list[RgbImage]], list[RgbImage]]:
    def translate(images: list[RgbImage]) -> list[RgbImage]:
        plans = [p for i in images for p in translator.plan(PictureSource.of(i), n=1, seed=seed)]
        return [sample.image for sample in translator.draw(plans)]

    return translate


def cycle_error(directory: Path, images: list[RgbImage]) -> float:
    """Mean absolute difference of pictures that were translated there and back, grey levels."""
    seen = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    there, back = (load_direction(directory, name) for name in ("there", "back"))
    with torch.inference_mode():
        return float((back(there(seen)) - seen).abs().mean() * 127.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--from", dest="first", type=Path, required=True)
    parser.add_argument("--to", dest="second", type=Path, required=True)
    parser.add_argument("--fit", type=Path, required=True)
    parser.add_argument("--translator", type=Path, action="append", required=True)
    parser.add_argument("--space", required=True)
    parser.add_argument("--sample", type=int, default=100)
    parser.add_argument("--sheet", type=Path)
    given = parser.parse_args()
    translators = [make_translator(path) for path in given.translator]
    side = translators[0].side_px
    space = open_space(given.space)
    features = space.encoder.features
    histology, cytology = squares(given.first, side), squares(given.second, side)
    others = squares(given.fit, side)[: given.sample]
    truth = features(cytology)
    ways: dict[str, Callable[[list[RgbImage]], list[RgbImage]]] = {
        "histology as it is": list,
        "colours moved": lambda images: recoloured(images, others),
    }
    shown: dict[str, list[RgbImage]] = {}
    found: dict[str, list[tuple[float, float]]] = {}
    for run in range(RUNS):
        random = np.random.default_rng(run)
        chosen = random.choice(len(histology), min(given.sample, len(histology)), replace=False)
        some = [histology[i] for i in chosen]
        turns = {translator.name: by(translator, run) for translator in translators}
        for name, way in {**ways, **turns}.items():
            images = way(some)
            shown.setdefault(name, images[:8])
            seen = features(images)
            found.setdefault(name, []).append(
                (frechet_distance(truth, seen), 1000 * kernel_distance(truth, seen, seed=run)[0])
            )
    for path in given.translator:
        if path.is_dir():
            print(f"{path.name}: there and back again, mean error "
                  f"{cycle_error(path, histology[: given.sample]):.1f} grey levels")  # fmt: skip
    floor = features(others)
    print("| pictures | FD | KD × 1000 |\n|---|---|---|")
    for name, pairs in found.items():
        columns = np.array(pairs).T
        cells = [f"{c.mean():.0f} ({c.min():.0f}–{c.max():.0f})" for c in columns]
        print(f"| {name} | {cells[0]} | {cells[1]} |")
    print(f"| other real cytology (floor) | {frechet_distance(truth, floor):.0f} | "
          f"{1000 * kernel_distance(truth, floor)[0]:.0f} |")  # fmt: skip
    if given.sheet:
        rows = [*shown.values(), cytology[:8]]
        page = np.concatenate([np.concatenate(row, axis=1) for row in rows])
        Image.fromarray(page).save(given.sheet, quality=85)


if __name__ == "__main__":
    main()
