"""Which real pictures the filters of tiles would leave out, and which blurred ones they keep.

    python bench/tile_filters.py ../shared/data/cervix_fields ../shared/data/blood

Prints, for every folder, the share left out as it is, and after a Gaussian blur of 2 or 4 pixels.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from coin_retrieval.images.decoding import SUFFIXES
from indexer.tiling.fitness import unfit
from indexer.tiling.settings import Tiling

BLURS_PX = (0, 2, 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--sample", type=int, default=200)
    options = parser.parse_args()
    tiling = Tiling()
    print("| pictures | n | sharp | blur 2 px | blur 4 px |\n|---|---|---|---|---|")
    for folder in options.folders:
        paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES)
        random.Random(0).shuffle(paths)  # noqa: S311
        some = paths[: options.sample]
        out = dict.fromkeys(BLURS_PX, 0)
        for path in some:
            with Image.open(path) as opened:
                image = opened.convert("RGB")
            for blur in BLURS_PX:
                seen = image.filter(ImageFilter.GaussianBlur(blur)) if blur else image
                out[blur] += bool(
                    unfit(
                        np.asarray(seen),
                        min_contrast=tiling.min_contrast,
                        min_sharpness=tiling.min_sharpness,
                    )
                )
        shares = " | ".join(f"{100 * out[blur] / len(some):.1f} %" for blur in BLURS_PX)
        print(f"| {folder.name} | {len(some)} | {shares} |")


if __name__ == "__main__":
    main()
