"""The starter's generator with a U-Net that has learned nothing: the ceiling of picture distances.

python bench/untrained.py OUT
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel

from coin_retrieval.starter import GENERATOR


def main(out: Path) -> None:
    shutil.copytree(GENERATOR, out, dirs_exist_ok=True)
    torch.manual_seed(0)
    config = UNet2DConditionModel.load_config(GENERATOR / "unet")
    UNet2DConditionModel.from_config(config).half().save_pretrained(out / "unet")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
