"""What a LoRA learns: the base's own denoising, on the new pictures.

Hu et al. 2021 (arXiv 2106.09685), as diffusers' ``train_text_to_image_lora_sdxl`` trains it, which
COIN's repository uses; min-SNR weights from Hang et al. 2023 (arXiv 2303.09556).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDPMScheduler
from diffusers.training_utils import cast_training_params, compute_snr
from peft import LoraConfig
from torch import Tensor, nn

from coin_retrieval.errors import LoraError
from coin_retrieval.training.loop import Task, device
from coin_retrieval.training.lora.material import Material
from coin_retrieval.training.lora.recipe import LoraRecipe


class LoraTask(Task):
    """``module`` holds the thin matrices alone; the base's weights stay as they are.

    Args:
        unet: of a Stable Diffusion or SDXL; it is changed.
        scheduler: the pipeline's, which says what the U-Net predicts under which noise.

    Raises:
        LoraError: no layer of the U-Net is called so.
    """

    def __init__(self, unet: Any, scheduler: Any, material: Material, recipe: LoraRecipe) -> None:
        self._recipe, self._shown = recipe, material
        self._unet = unet.requires_grad_(False)
        self._noise = DDPMScheduler.from_config(scheduler.config)
        _add_adapter(self._unet, recipe)
        self.module = Adapter(self._unet)

    def begin(self, done: float) -> None:
        """The base in training mode too: checkpointing asks for it; see :class:`.Task`."""
        del done
        self._unet.train()

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch; see :class:`.Task`."""
        recipe, shown = self._recipe, self._shown
        rows = random.choice(len(shown.weights), size=recipe.batch, p=shown.weights)
        turned = torch.from_numpy(random.integers(len(shown.latents), size=recipe.batch))
        clean = shown.latents[turned, torch.from_numpy(rows)].float().to(device())
        noise = torch.randn_like(clean)
        most = self._noise.config.num_train_timesteps
        times = torch.from_numpy(random.integers(most, size=recipe.batch)).to(device())
        noisy = self._noise.add_noise(clean, noise, times)
        given = self._denoise(
            noisy, times, shown.prompts.pick(rows, random, drop=recipe.prompt_drop)
        )
        error = F.mse_loss(given.float(), self._wanted(clean, noise, times), reduction="none")
        error = error.mean(dim=(1, 2, 3))
        weight = self._weight(times)
        return (weight * error).mean() / weight.mean(), {"mse": error.mean().item()}

    def _denoise(self, noisy: Tensor, times: Tensor, chosen: Tensor) -> Tensor:
        prompts, dtype = self._shown.prompts, self._unet.dtype
        more: dict[str, Any] = {}
        if prompts.pooled is not None:
            side = float(self._shown.side_px)
            # original size, corner of the crop, size wanted: whole squares, as they were packed
            sizes = torch.tensor([[side, side, 0.0, 0.0, side, side]]).repeat(len(noisy), 1)
            more["added_cond_kwargs"] = {
                "text_embeds": prompts.pooled[chosen].to(device(), dtype),
                "time_ids": sizes.to(device(), dtype),
            }
        if self._shown.guidance is not None:
            more["timestep_cond"] = self._shown.guidance.repeat(len(noisy), 1).to(device(), dtype)
        found: Tensor = self._unet(
            noisy.to(dtype),
            times,
            encoder_hidden_states=prompts.tokens[chosen].to(device(), dtype),
            **more,
        ).sample
        return found

    def _wanted(self, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
        kind = self._noise.config.prediction_type
        if kind == "v_prediction":
            velocity: Tensor = self._noise.get_velocity(clean, noise, times)
            return velocity
        return noise if kind == "epsilon" else clean

    def _weight(self, times: Tensor) -> Tensor:
        """Of each time, [b]: min-SNR, which is a weight of the clean picture's error."""
        if self._recipe.min_snr is None:
            return torch.ones_like(times, dtype=torch.float32)
        snr = compute_snr(self._noise, times)
        capped = snr.clamp(max=self._recipe.min_snr)
        kind = self._noise.config.prediction_type
        if kind == "v_prediction":
            weight: Tensor = capped / (snr + 1)
        else:
            weight = capped / snr.clamp(min=1e-6) if kind == "epsilon" else capped
        return weight


class Adapter(nn.Module):
    """A U-Net's trainable tensors, shared with it, under names that a module may have."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        for name, value in unet.named_parameters():
            if value.requires_grad:
                self.register_parameter(name.replace(".", "/"), value)


def _add_adapter(unet: Any, recipe: LoraRecipe) -> None:
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha or recipe.rank,
        init_lora_weights="gaussian",
        target_modules=list(recipe.layers),
    )
    torch.manual_seed(recipe.loop.seed)
    try:
        unet.add_adapter(config)
    except ValueError as error:
        raise LoraError(
            "no layer of the base is called so",
            value=", ".join(recipe.layers),
            expected="ends of names of its U-Net's layers, such as to_q",
            remedy="correct layers in the recipe",
        ) from error
    cast_training_params(unet)
    if recipe.gradient_checkpointing:
        unet.enable_gradient_checkpointing()
