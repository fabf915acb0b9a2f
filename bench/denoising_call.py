"""One call of SDXL's denoising network at full size, by each setting: seconds, and how far it is.

    python bench/denoising_call.py --work DIR [--size 512] [--latents 1] [--calls 2]
        [--ways float32,plain,channels_last,qkv,in_place,packed,inductor,frozen,fused,int8,fp8,…]
        [--reference FILE.npy]
        [--clock processor] [--out FILE.json]

A whole picture takes minutes where cores are shared (bench/generation.py); its network's call is
most of it. Weights are random (into ``--work``). ``plain`` is diffusers' network in the number
format chosen for the device, ``float32`` the same in float32. ``channels_last``, ``qkv``,
``in_place``, ``packed``, ``inductor`` (the repeated blocks by torch.compile) and ``frozen`` (the
same with constant weights) are one change of it alone; ``fused`` is the setting, ``int8``, ``fp8``,
``compiled`` and ``graphs`` are ``fused`` and one setting more. Each way's first output is compared
with the first way's, or with ``--reference``, which an earlier run has written: the root of the
mean squared difference over that one's spread. The first call of a way packs or compiles.
"""

from __future__ import annotations

import argparse
import gc
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from full_size import write_sdxl
from generation import CLOCKS, forget_memory, memory_gb, read_clock, timed

from coin_retrieval.config import DiffusersGeneratorSettings
from coin_retrieval.generation.acceleration import accelerate
from coin_retrieval.generation.in_place import overwrite
from coin_retrieval.generation.packing import pack
from coin_retrieval.nets.compute import pick_device, pick_dtype

SETTINGS: dict[str, dict[str, Any]] = {
    "int8": {"quantised": "int8"},
    "fp8": {"quantised": "fp8"},
    "compiled": {"compiled": True},
    "graphs": {"compiled": True, "cuda_graphs": True},
}
ALONE: dict[str, Callable[[Any], object]] = {
    "channels_last": lambda unet: unet.to(memory_format=torch.channels_last),
    "qkv": lambda unet: unet.fuse_qkv_projections(),
    "in_place": overwrite,
    "packed": pack,
    "inductor": lambda unet: unet.compile_repeated_blocks(fullgraph=True),
    "frozen": lambda unet: unet.compile_repeated_blocks(fullgraph=True, options={"freezing": True}),
}
STEADY_TIMES = (700, 600, 500, 400, 300, 200)


class Network(SimpleNamespace):
    """As much of a pipeline as :func:`accelerate` asks of it."""

    @property
    def components(self) -> dict[str, Any]:
        return {"unet": self.unet}

    def to(self, device: torch.device) -> None:
        self.unet.to(device)

    def fuse_qkv_projections(self, *, vae: bool) -> None:
        self.unet.fuse_qkv_projections()


def measure(way: str, model: Path, *, size: int, latents: int, calls: int) -> dict[str, Any]:
    device = pick_device()
    dtype = torch.float32 if way == "float32" else pick_dtype("auto", device)
    unet = UNet2DConditionModel.from_pretrained(model / "unet", dtype=dtype, use_safetensors=True)
    unet.eval().requires_grad_(False)
    forget_memory()
    fused = way not in ("plain", "float32", *ALONE)
    settings = DiffusersGeneratorSettings(model="x", fused=fused, **SETTINGS.get(way, {}))
    accelerate(Network(unet=unet), settings, device)
    ALONE.get(way, lambda _: None)(unet)
    config = unet.config
    pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    drawn = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=drawn).to(device, dtype)

    noise = random(latents, config.in_channels, size // 8, size // 8)
    named = {
        "encoder_hidden_states": random(latents, 77, config.cross_attention_dim),
        "added_cond_kwargs": {
            "text_embeds": random(latents, pooled),
            "time_ids": torch.zeros(latents, 6, device=device, dtype=dtype),
        },
    }
    outputs: list[torch.Tensor] = []
    seconds = []
    with torch.inference_mode():
        for time in STEADY_TIMES[:calls]:
            call = lambda t=time: outputs.append(  # noqa: E731
                unet(noise, torch.tensor(t, device=device), **named).sample.float().cpu()
            )
            seconds.append(round(timed(device, call), 2))
    return {"way": way, "calls_s": seconds, "memory_gb": memory_gb(device), "output": outputs[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--latents", type=int, default=1)
    parser.add_argument("--calls", type=int, choices=range(1, 7), default=3)
    parser.add_argument("--ways", default="plain,fused,int8")
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    read_clock(asked.clock)
    model = write_sdxl(asked.work / "sdxl-random")
    rows: list[dict[str, Any]] = []
    kept = asked.reference
    first = np.load(kept) if kept is not None and kept.is_file() else None
    for way in asked.ways.split(","):
        row = measure(way, model, size=asked.size, latents=asked.latents, calls=asked.calls)
        output = row.pop("output").numpy()
        if first is None:
            first = output
            if kept is not None:
                np.save(kept, first)
        far = float(np.sqrt(np.mean((output - first) ** 2)) / first.std())
        rows.append(row | {"relative_difference": round(far, 4)})
        print(json.dumps(rows[-1]), flush=True)
        gc.collect()
    if asked.out:
        asked.out.write_text(json.dumps({"clock": asked.clock, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
