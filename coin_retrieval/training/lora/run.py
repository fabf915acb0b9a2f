"""A base and a manifest in, a LoRA in diffusers' layout out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor, nn

from coin_retrieval.config import DiffusersGeneratorSettings
from coin_retrieval.errors import LoraError, SettingsError
from coin_retrieval.generation.lora import BASE, METADATA
from coin_retrieval.generation.pipeline import load_pipeline
from coin_retrieval.generation.pipeline_files import find_pipeline
from coin_retrieval.training.generator.perception import eyes_of
from coin_retrieval.training.loop import Task, fit
from coin_retrieval.training.lora.matching import LoraMatchingTask
from coin_retrieval.training.lora.material import material_of
from coin_retrieval.training.lora.recipe import LoraRecipe
from coin_retrieval.training.lora.task import LoraTask
from coin_retrieval.training.run_folder import Workshop, run_once


def train_lora(
    shop: Workshop,
    base: DiffusersGeneratorSettings,
    recipe: LoraRecipe,
    *,
    encoder: Path | None = None,
    perception: Path | None = None,
) -> Path:
    """Adapt a base to the workshop's pictures; returns the folder of the LoRA.

    Args:
        encoder: the open_clip directory of an encoder of ours, by whose eyes a recipe with
            ``matching`` compares.
        perception: a SqueezeNet 1.1, by whose eyes too.

    Raises:
        LoraError: the base has a LoRA already, or takes none.
        WeightsError, SettingsError: the base cannot be loaded; or nothing to see with.
        CaseTableError: no rows to train on, or one without report and finding.
    """
    if base.lora is not None:
        raise LoraError(
            "the base has a LoRA already",
            value=base.lora,
            expected="a base alone",
            remedy="leave lora out of --base; merge it into the base to train on from it",
        )
    eyes = eyes_of(encoder=encoder, perception=perception) if recipe.matching else []
    if recipe.matching and not eyes:
        raise SettingsError(
            "nothing to see drawings with",
            value="matching",
            expected="--encoder, an open_clip directory, or --perception, a SqueezeNet",
            remedy="name one, or leave matching out of the recipe",
        )
    files = find_pipeline(base)
    made_for = json.dumps({"name": files.name, "unet": files.unet_digest})

    def train(out: Path) -> nn.Module:
        pipeline = load_pipeline(files)
        drawn_px = pipeline.unet.config.sample_size * pipeline.vae_scale_factor
        side_px = recipe.side_px or files.card.width_px or int(drawn_px)
        cases = shop.cases("train", side_px)
        material = material_of(pipeline, cases, recipe)
        matching = recipe.matching
        if matching is None:
            task: Task = LoraTask(pipeline.unet, pipeline.scheduler, material, recipe)
        else:
            # as the base is drawn with, for a LoRA recommends nothing
            drawn_alike = matching.model_copy(update={"noise_offset": files.noise_offset})
            task = LoraMatchingTask(pipeline, material, cases, recipe, drawn_alike, eyes=eyes)
        kept.update(pipeline=pipeline, partly_read=material.prompts.partly_read)
        # what has read and encoded is not needed any more, and takes room
        pipeline.text_encoder = pipeline.text_encoder_2 = pipeline.vae = None
        return fit(task, recipe.loop, out, name="lora")

    kept: dict[str, Any] = {}

    def keep(averaged: nn.Module, directory: Path) -> dict[str, float]:
        save_lora(kept["pipeline"], averaged, directory, metadata={BASE: made_for})
        return {
            "parameters": sum(value.numel() for value in averaged.parameters()),
            "partly_read": kept["partly_read"],
        }

    return run_once(shop, "lora", keep, train)


def save_lora(
    pipeline: Any, adapter: nn.Module, directory: Path, *, metadata: dict[str, str]
) -> None:
    """Write the adapter's weights as ``pytorch_lora_weights.safetensors``, float32."""
    unet = pipeline.unet
    own = dict(unet.named_parameters())
    with torch.no_grad():
        for name, value in adapter.named_parameters():
            own[name.replace("/", ".")].copy_(value)
    settings = unet.peft_config["default"].to_dict()
    # diffusers' loader compares what stands here with its own dataclass: no sets, no enums
    settings = json.loads(json.dumps(settings, default=lambda value: sorted(map(str, value))))

    def save(tensors: dict[str, Tensor], file: str) -> None:
        held = {name: value.detach().float().cpu().contiguous() for name, value in tensors.items()}
        lora = {f"unet.{name}": value for name, value in settings.items()}
        save_file(held, file, {"format": "pt", METADATA: json.dumps(lora), **metadata})

    type(pipeline).save_lora_weights(
        directory, unet_lora_layers=get_peft_model_state_dict(unet), save_function=save
    )
