"""Full-size drawing against the hardware's floor, beside COIN's published snippet.

    python bench/generation.py --work DIR [--model DIR] [--size 512] [--steps 2] [--pictures 1]
        [--ways reference,balanced,…] [--reference FILE.npy] [--snippet] [--clock processor]
        [--peak-side 4096] [--out FILE.json]

Without ``--model``, SDXL base 1.0 is built from its configuration with random weights (into
``--work``, 7 GB in bfloat16): they cost what trained ones cost. Each way is a preset, or settings
``name=value&name=value``; each draws one step to warm up. Pictures are compared with the snippet's
of the same seed, in float32; without it with the first way's, or with those of ``--reference``,
which an earlier run has written. The floor is the run's floating-point operations (torch's counter,
on shapes alone) over the matrix peak in the way's number format: the mean of large products timed
between the run's own blocks of layers, since a shared machine's pace changes within seconds, and
beside it the best of them. The snippet is COIN's inference as published: the pipeline in float32,
one picture a call, here from the same noise; ``--ways none`` runs it alone. ``tiny_vae=random``
takes a small decoder with random weights. Where other work has the same cores, ``--clock
processor`` on one thread (OMP_NUM_THREADS=1) tells the process's own seconds. The programs set
THP_MEM_ALLOC_ENABLE=1 for themselves, here the caller does. Runs unchanged on a GPU.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from full_size import write_sdxl, write_tiny_vae
from torch.utils.flop_counter import FlopCounterMode

from coin_retrieval.config import GENERATOR_PRESETS, DiffusersGeneratorSettings
from coin_retrieval.generation.diffusers import DiffusersGenerator
from coin_retrieval.nets.compute import pick_device, pick_dtype
from coin_retrieval.types import ReportSource, RgbImage

REPORT = "clusters of large atypical cells, eccentric nuclei; adenocarcinoma"  # one window
PEAK_SIDE = 4096
CLOCKS = {"wall": time.perf_counter, "processor": time.process_time}
_clock = [time.perf_counter]


def read_clock(name: str) -> None:
    """Let all that is timed from now on be timed by it."""
    _clock[0] = CLOCKS[name]


class MatrixPeak:
    """Large matrix products, timed between a run's blocks of layers."""

    def __init__(self, device: torch.device, dtype: torch.dtype, side: int = PEAK_SIDE) -> None:
        self._device, self._side = device, side
        self._left = torch.randn(side, side, device=device).to(dtype)
        self.seconds: list[float] = []

    def sample(self) -> None:
        self.seconds.append(timed(self._device, lambda: self._left @ self._left))

    @property
    def mean(self) -> float:
        """Floating-point operations a second."""
        return 2 * self._side**3 * len(self.seconds) / sum(self.seconds)

    @property
    def best(self) -> float:
        """Of the fastest product alone."""
        return 2 * self._side**3 / min(self.seconds)


def timed(device: torch.device, work: Callable[[], object]) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = _clock[0]()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return _clock[0]() - started


class Stages:
    """Seconds within each network of a pipeline, and how many latents each denoising call had."""

    def __init__(self, pipeline: Any, device: torch.device, peak: MatrixPeak) -> None:
        self._peak = peak
        self.seconds: dict[str, float] = {}
        self.calls: list[int] = []
        self.calls_s: list[float] = []
        parts = {"text": ("text_encoder", "text_encoder_2"), "denoising": ("unet",)}
        for stage, names in parts.items():
            for name in names:
                if (network := getattr(pipeline, name, None)) is not None:
                    network.forward = self._timed(stage, network.forward, device)
        pipeline.vae.decode = self._timed("decoding", pipeline.vae.decode, device)
        unet = pipeline.unet
        decoding = getattr(pipeline.vae.decoder, "up_blocks", ())  # a tiny decoder has none
        for block in (*unet.down_blocks, unet.mid_block, *unet.up_blocks, *decoding):
            block.register_forward_pre_hook(lambda *_: peak.sample())

    def _timed(self, stage: str, call: Callable[..., Any], device: torch.device) -> Any:
        def run(*arguments: Any, **named: Any) -> Any:
            if stage == "denoising":
                self.calls.append(len(arguments[0]))
            result: list[Any] = []
            before = sum(self._peak.seconds)
            seconds = timed(device, lambda: result.append(call(*arguments, **named)))
            seconds -= sum(self._peak.seconds) - before
            if stage == "denoising":
                self.calls_s.append(round(seconds, 2))
            self.seconds[stage] = self.seconds.get(stage, 0.0) + seconds
            return result[0]

        return run


def operations(model: Path, *, size: int, calls: list[int], pictures: int) -> float:
    """Floating-point operations of a run's U-Net calls and decoding, counted on shapes alone."""
    from diffusers import AutoencoderKL, UNet2DConditionModel

    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(UNet2DConditionModel.load_config(model / "unet"))
        vae = AutoencoderKL.from_config(AutoencoderKL.load_config(model / "vae"))
        config = unet.config
        latent = size // 2 ** (len(vae.config.block_out_channels) - 1)
        channels = config.in_channels
        pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        added = {"text_embeds": torch.empty(1, pooled), "time_ids": torch.empty(1, 6)}
        with FlopCounterMode(display=False) as step:
            unet(
                torch.empty(1, channels, latent, latent),
                torch.tensor(1),
                torch.empty(1, 77, config.cross_attention_dim),
                added_cond_kwargs=added,
            )
        with FlopCounterMode(display=False) as decoding:
            vae.decode(torch.empty(1, channels, latent, latent))
    return float(step.get_total_flops() * sum(calls) + decoding.get_total_flops() * pictures)


def settings_of(way: str, base: dict[str, Any]) -> DiffusersGeneratorSettings:
    if way in GENERATOR_PRESETS:
        return DiffusersGeneratorSettings(**base, preset=way)
    way = way.replace("tiny_vae=random", f"tiny_vae={base['model']}-tiny")
    pairs = (pair.split("=", 1) for pair in way.split("&") if "=" in pair)
    return DiffusersGeneratorSettings(**(base | dict(pairs)))


def measure(
    way: str, base: dict[str, Any], *, model: Path, size: int, pictures: int, peak_side: int
) -> tuple[dict[str, Any], list[RgbImage]]:
    settings = settings_of(way, base)
    generator = DiffusersGenerator(settings)
    forget_memory()
    device = pick_device(settings.device)
    dtype = pick_dtype(settings.dtype, device)
    loading_s = timed(device, generator.load)
    plans = generator.plan(ReportSource(REPORT), n=pictures)
    once = [replace(plan, steps=1) for plan in plans]
    first_s = timed(device, lambda: generator._draw(once, lambda _: None))
    peak = MatrixPeak(device, dtype, peak_side)
    stages = Stages(generator._pipeline, device, peak)
    drawn: list[RgbImage] = []
    seconds = timed(device, lambda: drawn.extend(s.image for s in generator.draw(plans)))
    seconds -= sum(peak.seconds)
    # a tiny decoder's operations are not worth counting
    decoded = 0 if settings.tiny_vae else pictures
    flop = operations(model, size=size, calls=stages.calls, pictures=decoded)
    row = {
        "way": way,
        "format": str(dtype).removeprefix("torch."),
        "steps": plans[0].steps,
        "guidance": plans[0].guidance,
        "loading_s": round(loading_s, 1),
        "first_step_s": round(first_s, 2),
        "seconds": round(seconds, 2),
        "pictures_a_minute": round(60 * pictures / seconds, 2),
        **{f"{stage}_s": round(value, 2) for stage, value in stages.seconds.items()},
        "network_calls_s": stages.calls_s,
        "tflop": round(flop / 1e12, 2),
        "peak_gflops": [round(peak.mean / 1e9), round(peak.best / 1e9)],
        "times_the_floor": round(seconds * peak.mean / flop, 2),
        "times_the_best_floor": round(seconds * peak.best / flop, 2),
        "peak_memory_gb": memory_gb(device),
    }
    return row, drawn


def snippet(
    model: Path, *, size: int, steps: int, pictures: int, device: torch.device
) -> tuple[dict[str, Any], list[RgbImage]]:
    """COIN's inference as published: no number format is named, so it is float32."""
    from diffusers import StableDiffusionXLPipeline

    forget_memory()
    pipeline = StableDiffusionXLPipeline.from_pretrained(model, dtype=torch.float32)
    pipeline.to(device)
    pipeline.set_progress_bar_config(disable=True)
    options = {"num_inference_steps": steps, "guidance_scale": 7.5, "height": size, "width": size}
    pipeline(REPORT, **options | {"num_inference_steps": 1, "guidance_scale": 1.0})
    drawn: list[RgbImage] = []

    def draw() -> None:
        for seed in range(pictures):
            noise = torch.Generator("cpu").manual_seed(seed)
            picture = pipeline(REPORT, **options, generator=noise, output_type="np").images[0]
            drawn.append((picture * 255).round().astype(np.uint8))

    seconds = timed(device, draw)
    row = {"way": "published snippet", "format": "float32", "steps": steps, "guidance": 7.5,
           "seconds": round(seconds, 2), "peak_memory_gb": memory_gb(device)}  # fmt: skip
    return row, drawn


def forget_memory() -> None:
    """Let the most that is held be told from now on."""
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    Path("/proc/self/clear_refs").write_text("5")


def memory_gb(device: torch.device) -> float:
    """The most that was held of the GPU, or of the process, mapped files among it."""
    if device.type == "cuda":
        return round(torch.cuda.max_memory_allocated(device) / 1e9, 2)
    (line,) = (s for s in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in s)
    return round(int(line.split()[1]) * 1024 / 1e9, 2)


def difference(ours: list[RgbImage], reference: list[RgbImage]) -> float:
    """Mean absolute difference of pixels, 0 to 255."""
    pairs = zip(ours, reference, strict=True)
    return round(float(np.mean([np.abs(a.astype(float) - b).mean() for a, b in pairs])), 2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--pictures", type=int, default=1)
    parser.add_argument("--ways", default="fused=false,reference")
    parser.add_argument("--reference", type=Path)
    parser.add_argument("--peak-side", type=int, default=PEAK_SIDE)
    parser.add_argument("--snippet", action="store_true")
    parser.add_argument("--clock", choices=CLOCKS, default="wall")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    read_clock(asked.clock)
    model = asked.model or write_sdxl(asked.work / "sdxl-random")
    write_tiny_vae(Path(f"{model}-tiny"))
    device = pick_device()
    base = {
        "model": str(model),
        "steps": asked.steps,
        "guidance": 7.5,
        "batch_size": asked.pictures,
        "width_px": asked.size,
        "height_px": asked.size,
    }
    rows: list[dict[str, Any]] = []
    kept = asked.reference
    reference = list(np.load(kept)) if kept is not None and kept.is_file() else []
    if asked.snippet:
        row, reference = snippet(
            model, size=asked.size, steps=asked.steps, pictures=asked.pictures, device=device
        )
        rows.append(row)
        print(json.dumps(row), flush=True)
        gc.collect()
    for way in asked.ways.split(",") if asked.ways != "none" else ():
        row, drawn = measure(
            way,
            base,
            model=model,
            size=asked.size,
            pictures=asked.pictures,
            peak_side=asked.peak_side,
        )
        reference = reference or drawn
        if kept is not None and not kept.is_file():
            np.save(kept, np.stack(reference))
        row["difference"] = difference(drawn, reference)
        if asked.snippet:
            row["snippet_over_this"] = round(rows[0]["seconds"] / row["seconds"], 2)
        rows.append(row)
        print(json.dumps(rows[-1]), flush=True)
        gc.collect()
    found = {
        "device": torch.cuda.get_device_name() if device.type == "cuda" else "cpu",
        "threads": torch.get_num_threads(),
        "clock": asked.clock,
        "rows": rows,
    }
    if asked.out:
        asked.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
