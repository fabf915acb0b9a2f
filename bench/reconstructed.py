"""Real pictures that the starter's autoencoder encoded and decoded: no U-Net can draw them better.

python bench/reconstructed.py OUT TABLE …   (rows of split=val)
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import torch
from diffusers import AutoencoderTiny

from coin_retrieval.images.decoding import load_image
from coin_retrieval.images.png import encode_png
from coin_retrieval.images.resizing import fit_square
from coin_retrieval.starter import GENERATOR
from coin_retrieval.tables.cases import read_case_table
from coin_retrieval.training.pictures.sheets import to_uint8

SIDE_PX = 128


@torch.inference_mode()
def main(out: Path, *tables: Path) -> None:
    autoencoder = AutoencoderTiny.from_pretrained(GENERATOR / "vae", local_files_only=True).eval()
    (out / "images").mkdir(parents=True, exist_ok=True)
    rows = [row for table in tables for row in read_case_table(table)]
    with (out / "cases.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("image_path", "case_id", "finding", "origin"))
        for number, row in enumerate(r for r in rows if r.attributes.get("split") == "val"):
            squared = torch.from_numpy(fit_square(load_image(row.image_path), SIDE_PX).copy())
            picture = squared.permute(2, 0, 1)[None].float() / 127.5 - 1
            drawn = autoencoder.decode(autoencoder.encode(picture).latents).sample
            name = f"images/{number:05d}.png"
            (out / name).write_bytes(encode_png(to_uint8(drawn)[0]))
            writer.writerow((name, row.case_id, row.finding, "generated"))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
