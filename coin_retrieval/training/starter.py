"""From trained parts to the starter's directories, in the libraries' own formats."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from diffusers import AutoencoderTiny, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor

from coin_retrieval.training.diffusion import DiffusionRecipe, latent_scale


def save_generator(
    unet: UNet2DConditionModel,
    autoencoder: AutoencoderTiny,
    latents: Tensor,
    scheduler: DDIMScheduler,
    recipe: DiffusionRecipe,
    directory: Path,
) -> None:
    """Write a ``StableDiffusionPipeline`` directory, float16, without the frozen text tower.

    ``coin.json`` holds what this generator is best drawn with.
    """
    # the path that it was loaded from belongs to this machine
    autoencoder.register_to_config(scaling_factor=latent_scale(latents), _name_or_path="")
    pipeline = StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=None,
        tokenizer=None,
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.to(torch.float16).save_pretrained(directory, safe_serialization=True)
    recommended = {
        "name": "coin-starter",
        "steps": recipe.steps,
        "guidance": recipe.guidance,
        "width_px": recipe.side_px,
        "height_px": recipe.side_px,
    }
    (directory / "coin.json").write_text(json.dumps(recommended, indent=2) + "\n")
