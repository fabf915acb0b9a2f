"""Encoding against the hardware's floor: the network alone, from pictures, from JPEG files.

    python bench/encoding.py --work DIR [--models starter,ViT-B-32,ViT-B-16,ViT-L-14]
        [--dtype bfloat16] [--pictures 64] [--batch 32] [--onnx] [--out FILE.json]

ViTs are open_clip's at full size with random weights: they cost what trained ones cost. The floor
is the network's floating-point operations (torch's counter, on shapes alone) over the matrix peak
that this process measures in the same number format. ``--onnx`` runs the same picture tower
through ONNX Runtime (``pip install onnx onnxscript onnxruntime``; on the CPU, in float32) and
compares vectors. Runs unchanged on a GPU.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from generation import MatrixPeak, memory_gb, timed
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from coin_retrieval.factory import make_encoder, parse_encoder
from coin_retrieval.images import load_image
from coin_retrieval.nets.compute import pick_device

SIDE = 256


def write_vit(directory: Path, name: str) -> Path:
    """An open_clip directory with random weights; what is there already is kept."""
    import open_clip
    from safetensors.torch import save_file

    if not (weights := directory / "open_clip_model.safetensors").is_file():
        directory.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(0)
        model = open_clip.create_model(name)
        config = {"model_cfg": open_clip.get_model_config(name), "preprocess_cfg": {}}
        (directory / "open_clip_config.json").write_text(json.dumps(config))
        save_file({k: v.contiguous() for k, v in model.state_dict().items()}, weights)
    return directory


def write_jpegs(folder: Path, count: int) -> list[Path]:
    """Smooth random fields, which compress as photographs do."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = np.random.default_rng(0)
    files = [folder / f"{number}.jpg" for number in range(count)]
    for file in files:
        coarse = Image.fromarray(drawn.integers(0, 256, (32, 32, 3), np.uint8))
        coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(file, quality=90)
    return files


def measure(name: str, settings: str, files: list[Path], batch: int) -> dict[str, Any]:
    """Pictures a second by the fastest of three rounds, of which one warms up."""
    encoder = make_encoder(parse_encoder(settings))
    encoder.load()
    network = encoder._network
    tower, device = network.model, network.device
    images = [load_image(file) for file in files]
    ready = network.preprocess(images[:batch]).to(device, network.dtype)
    with torch.inference_mode(), FlopCounterMode(display=False) as counted:
        tower.encode_image(ready[:1])
    peak = MatrixPeak(device, network.dtype)

    def forward() -> None:
        with torch.inference_mode():
            for _ in range(0, len(files), batch):
                tower.encode_image(ready)

    ways = {
        "network": forward,
        "pictures": lambda: encoder.encode(images, batch_size=batch),
        "jpeg_files": lambda: encoder.encode([load_image(f) for f in files], batch_size=batch),
    }
    rates = {}
    for way, work in ways.items():
        seconds = []
        for _ in range(3):
            peak.sample()
            seconds.append(timed(device, work))
        rates[way] = len(files) / min(seconds)
    floor = peak.best / counted.get_total_flops()
    return {
        "model": name,
        "format": str(network.dtype).removeprefix("torch."),
        "gflop": round(counted.get_total_flops() / 1e9, 2),
        **{f"{way}_a_second": round(rate, 1) for way, rate in rates.items()},
        "times_the_floor": round(floor / rates["network"], 2),
        "of_the_network": round(rates["jpeg_files"] / rates["network"], 2),
        "memory_gb": memory_gb(device),
    }


def by_onnx(settings: str, files: list[Path], batch: int, work: Path) -> dict[str, Any]:
    """The picture tower in ONNX Runtime: its rate, and how near its vectors are to torch's."""
    import onnxruntime

    encoder = make_encoder(parse_encoder(settings))
    encoder.load()
    network = encoder._network
    tower = network.model.visual.float()
    ready = network.preprocess([load_image(file) for file in files[:batch]]).float()
    path = work / "tower.onnx"
    torch.onnx.export(tower, (ready,), path, dynamo=True, verbose=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    named = {session.get_inputs()[0].name: ready.numpy()}
    with torch.inference_mode():
        theirs = torch.as_tensor(session.run(None, named)[0])
        near = torch.nn.functional.cosine_similarity(theirs, tower(ready)).min()
    seconds = min(timed(network.device, lambda: session.run(None, named)) for _ in range(3))
    return {"onnx_a_second": round(batch / seconds, 1), "lowest_cosine": round(float(near), 5)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--models", default="starter,ViT-B-32,ViT-B-16,ViT-L-14")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--onnx", action="store_true")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    files = write_jpegs(asked.work / "jpeg", asked.pictures)
    rows = []
    for name in asked.models.split(","):
        model = name if name == "starter" else f"open_clip:{write_vit(asked.work / name, name)}"
        settings = f"{model}?dtype={asked.dtype}"
        row = measure(name, settings, files, asked.batch)
        if asked.onnx:
            row |= by_onnx(settings, files, asked.batch, asked.work)
        rows.append(row)
        print(json.dumps(row), flush=True)
    device = pick_device()
    found = {"device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
             "threads": torch.get_num_threads(), "rows": rows}  # fmt: skip
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
