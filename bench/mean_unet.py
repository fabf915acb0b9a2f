"""The mean of generators that were taught from the same weights, as one of them is written.

    python bench/mean_unet.py GENERATOR GENERATOR … --noise-offset 0.1 --out OUT

Trainings that began alike end where their mean is often better than each (model soups, Wortsman et
al. 2022, arXiv 2203.05482). Everything but the U-Net is the first generator's.
"""

from __future__ import annotations

import argparse
import json
import shutil
from functools import reduce
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from coin_retrieval.nets.model_card import CARD, read_card

UNET = Path("unet/diffusion_pytorch_model.safetensors")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("generators", type=Path, nargs="+")
    parser.add_argument("--noise-offset", type=float, required=True, help="what it is drawn with")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    shutil.copytree(given.generators[0], given.out)
    parts = [load_file(generator / UNET) for generator in given.generators]
    mean = {
        name: (reduce(torch.add, [part[name].float() for part in parts]) / len(parts)).to(own.dtype)
        for name, own in parts[0].items()
    }
    save_file(mean, given.out / UNET, metadata={"format": "pt"})
    card = read_card(given.out).model_copy(update={"noise_offset": given.noise_offset})
    (given.out / CARD).write_text(json.dumps(card.model_dump(exclude_none=True), indent=2) + "\n")


if __name__ == "__main__":
    main()
