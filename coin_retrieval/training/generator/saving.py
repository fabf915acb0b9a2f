"""From trained parts to the starter's directories, in the libraries' own formats."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderTiny, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor

from coin_retrieval.generation.pipeline_files import READER
from coin_retrieval.nets.model_card import CARD
from coin_retrieval.nets.text_adapter import FOLDER as TEXT_ADAPTER
from coin_retrieval.training.generator.diffusion import latent_scale, noise_scheduler


def save_generator(
    unet: UNet2DConditionModel,
    autoencoder: AutoencoderTiny,
    *,
    latents: Tensor,
    reader: Path,
    text_adapter: Path | None,
    steps: int,
    guidance: float,
    directory: Path,
    noise_offset: float = 0.0,
) -> None:
    """Write a ``StableDiffusionPipeline`` directory, float16, without the frozen text tower.

    ``reader/`` is the trained reader's directory, ``text_adapter/`` what it reads with;
    ``coin.json`` holds what this generator is best drawn with.
    """
    # the path that it was loaded from belongs to this machine
    autoencoder.register_to_config(scaling_factor=latent_scale(latents), _name_or_path="")
    unet.register_to_config(_name_or_path="")
    pipeline = StableDiffusionPipeline(
        vae=autoencoder,
        text_encoder=None,
        tokenizer=None,
        unet=unet,
        scheduler=noise_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.to(torch.float16).save_pretrained(directory, safe_serialization=True)
    shutil.copytree(reader, directory / READER, dirs_exist_ok=True)
    if text_adapter is not None:
        shutil.copytree(text_adapter, directory / TEXT_ADAPTER, dirs_exist_ok=True)
    side_px = (
        2 ** (len(autoencoder.config.decoder_block_out_channels) - 1) * unet.config.sample_size
    )
    recommended: dict[str, str | float] = {
        "name": "coin-starter",
        "steps": steps,
        "guidance": guidance,
        "width_px": side_px,
        "height_px": side_px,
    }
    if noise_offset:
        recommended["noise_offset"] = noise_offset
    (directory / CARD).write_text(json.dumps(recommended, indent=2) + "\n")
