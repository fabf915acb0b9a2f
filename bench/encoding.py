"""Encoding against the hardware's floor: the network alone, from pictures, from JPEG files.

    python bench/encoding.py --work DIR [--models starter,ViT-B-32,ViT-B-16,ViT-L-14]
        [--engines torch,compiled,openvino,onnx] [--dtype bfloat16] [--pictures 64] [--batch 32]
        [--rounds 3] [--clock processor] [--out FILE.json]

ViTs are open_clip's at full size with random weights: they cost what trained ones cost. The floor
is the network's floating-point operations (torch's counter, on shapes alone) over the matrix peak
that this process measures in the same number format. ``openvino`` is the encoders' engine of this
name; ``compiled`` (torch.compile) and ``onnx`` (ONNX Runtime on the CPU, in float32; ``pip install
onnx onnxscript onnxruntime``) are measured here only. Vectors are compared with torch's in float32.
``--clock``: see bench/generation.py.
Runs unchanged on a GPU, where ``openvino`` and ``onnx`` have no place.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from generation import CLOCKS, MatrixPeak, forget_memory, memory_gb, read_clock, timed
from PIL import Image
from torch.utils.flop_counter import FlopCounterMode

from coin_retrieval.factory import make_encoder, parse_encoder
from coin_retrieval.images.decoding import load_image
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


def measure(
    settings: str,
    engine: str,
    dtype: str,
    files: list[Path],
    *,
    batch: int,
    rounds: int,
    work: Path,
) -> dict[str, Any]:
    """Pictures a second by the fastest of the rounds; what starting takes comes before."""
    forget_memory()
    images = [load_image(file) for file in files]
    exact = make_encoder(parse_encoder(f"{settings}?dtype=float32")).encode(images[:batch])
    ours = f"{settings}?dtype={'float32' if engine == 'onnx' else dtype}"
    encoder = make_encoder(parse_encoder(ours + "&engine=openvino" * (engine == "openvino")))
    encoder.load()
    network = encoder._network
    tower, device = network.model, network.device
    dtype = next(tower.visual.parameters()).dtype
    shown = network.preprocess(images[:1]).to(device, dtype)
    torch.backends.mha.set_fastpath_enabled(False)  # one operator, which the counter does not know
    with torch.inference_mode(), FlopCounterMode(display=False) as counted:
        tower.visual(shown)
    torch.backends.mha.set_fastpath_enabled(True)
    peak = MatrixPeak(device, dtype)
    if engine == "compiled":
        tower.encode_image = torch.compile(tower.encode_image)
    if engine == "onnx":
        tower.encode_image = by_onnx(tower.visual, network.preprocess(images[:batch]), work)
    ready = network.preprocess(images[:batch]).to(device, network.dtype)
    started = time.perf_counter()
    near = float((encoder.encode(images[:batch], batch_size=batch) * exact).sum(1).min())
    first_s = time.perf_counter() - started

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
    for way, work_of_it in ways.items():
        seconds = []
        for _ in range(rounds):
            peak.sample()
            seconds.append(timed(device, work_of_it))
        rates[way] = len(files) / min(seconds)
    floor = peak.best / counted.get_total_flops()
    return {
        "engine": engine,
        "format": str(dtype).removeprefix("torch."),
        "gflop": round(counted.get_total_flops() / 1e9, 2),
        **{f"{way}_a_second": round(rate, 1) for way, rate in rates.items()},
        "peak_gflops": [round(peak.mean / 1e9), round(peak.best / 1e9)],
        "times_the_floor": round(floor / rates["network"], 2),
        "of_the_network": round(rates["jpeg_files"] / rates["network"], 2),
        "lowest_cosine": round(near, 5),
        "first_batch_s": round(first_s, 1),
        "memory_gb": memory_gb(device),
    }


def by_onnx(tower: torch.nn.Module, batch: torch.Tensor, work: Path) -> Any:
    """The picture tower in ONNX Runtime, for batches of this size."""
    import onnxruntime

    path = work / "tower.onnx"
    torch.onnx.export(tower, (batch,), path, dynamo=True, verbose=False)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda shown: torch.from_numpy(session.run(None, {name: shown.numpy()})[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--models", default="starter,ViT-B-32,ViT-B-16,ViT-L-14")
    parser.add_argument("--engines", default="torch,compiled")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--pictures", type=int, default=64)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    read_clock(asked.clock)
    files = write_jpegs(asked.work / "jpeg", asked.pictures)
    rows = []
    for name in asked.models.split(","):
        model = name if name == "starter" else f"open_clip:{write_vit(asked.work / name, name)}"
        for engine in asked.engines.split(","):
            row = measure(
                model,
                engine,
                asked.dtype,
                files,
                batch=asked.batch,
                rounds=asked.rounds,
                work=asked.work,
            )
            rows.append({"model": name} | row)
            print(json.dumps(rows[-1]), flush=True)
    device = pick_device()
    found = {"device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
             "threads": torch.get_num_threads(), "clock": asked.clock, "rows": rows}  # fmt: skip
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
