"""One optimisation step of a LoRA on a full-size SDXL with random weights: does it fit, how long?

    python bench/sdxl_lora_step.py [--side-px 256] [--rank 4] [--steps 1]

The U-Net has SDXL 1.0's own configuration (2.57 G parameters) in bfloat16; prompts and latents are
random, of the shapes that its text encoders and autoencoder give. Prints peak memory and seconds.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np
import torch
from diffusers import EulerDiscreteScheduler, UNet2DConditionModel
from full_size import UNET

from coin_retrieval.training.loop import LoopSettings
from coin_retrieval.training.lora.material import Material, Prompts
from coin_retrieval.training.lora.recipe import LoraRecipe
from coin_retrieval.training.lora.task import LoraTask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--side-px", type=int, default=256)
    parser.add_argument("--rank", type=int, default=4)
    parser.add_argument("--steps", type=int, default=1)
    given = parser.parse_args()
    with torch.device("meta"):
        unet = UNet2DConditionModel(**UNET).to(torch.bfloat16)
    unet = unet.to_empty(device="cpu")
    torch.manual_seed(0)
    for value in unet.parameters():
        torch.nn.init.normal_(value, std=0.02)
    recipe = LoraRecipe(
        loop=LoopSettings(steps=given.steps, learning_rate=1e-4),
        rank=given.rank,
        gradient_checkpointing=True,
    )
    side = given.side_px // 8
    material = Material(
        latents=torch.randn(1, 1, 4, side, side),
        prompts=Prompts(torch.randn(2, 77, 2048), torch.randn(2, 1280), ((0,),), 0),
        weights=np.ones(1),
        side_px=given.side_px,
    )
    scheduler = EulerDiscreteScheduler(beta_schedule="scaled_linear")
    task = LoraTask(unet, scheduler, material, recipe)
    trained = list(task.module.parameters())
    optimizer = torch.optim.AdamW(trained, 1e-4)
    task.begin(0)
    count = sum(value.numel() for value in unet.parameters())
    print(f"U-Net {count / 1e9:.2f} G, trained {sum(v.numel() for v in trained) / 1e6:.2f} M")
    for step in range(given.steps):
        began, busy = time.monotonic(), time.process_time()
        with torch.autocast("cpu", torch.bfloat16):
            loss, _ = task.loss(np.random.default_rng(step))
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        wall, cpu = time.monotonic() - began, time.process_time() - busy
        peak_gb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(f"step {step}: loss {loss.item():.3f}, {wall:.0f} s ({cpu:.0f} CPU s), "
              f"peak {peak_gb:.1f} GiB")  # fmt: skip


if __name__ == "__main__":
    main()
