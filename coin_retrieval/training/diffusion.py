"""Train the generator's U-Net in the autoencoder's latent space.

Velocity prediction (Salimans & Ho 2022, arXiv 2202.00512), min-SNR weighting (Hang et al. 2023,
arXiv 2303.09556, γ = 5), zero terminal SNR (Lin et al. 2023, arXiv 2305.08891) and dropped prompts
for classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, UNet2DConditionModel
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from coin_retrieval.training.captions import held_out_reports
from coin_retrieval.training.data import PackedCases
from coin_retrieval.training.loop import LoopSettings, Task, device
from coin_retrieval.training.sampling import balanced_weights
from coin_retrieval.training.sheets import grid, to_uint8
from coin_retrieval.training.texts import CaptionPool, embed_texts
from coin_retrieval.types import RgbImage


class DiffusionRecipe(BaseModel):
    """The U-Net's shape, training and sampling; one YAML file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    loop: LoopSettings
    side_px: int = 128
    orientations: tuple[int, ...] = tuple(range(8))
    batch: int = 48
    channels: tuple[int, ...] = (96, 128, 160)
    attention: tuple[bool, ...] = (False, True, False)
    layers: int = 1
    captions_per_row: int = Field(default=3, gt=0)
    balance: float = Field(default=0.5, ge=0, le=1)
    prompt_drop: float = Field(default=0.1, ge=0, lt=1)
    min_snr: float = 5.0
    steps: int = Field(default=10, gt=0)
    guidance: float = Field(default=5.0, ge=1)


class DiffusionTask(Task):
    """Predict the velocity of noised latents from a report of the picture."""

    def __init__(
        self,
        cases: PackedCases,
        latents: Tensor,
        captions: CaptionPool,
        recipe: DiffusionRecipe,
        *,
        autoencoder: nn.Module,
    ) -> None:
        """Take latents [orientations n c h w], as ``encode_all`` gives them."""
        self._latents, self._captions, self._recipe = latents, captions, recipe
        self._autoencoder = autoencoder
        self._scale = latent_scale(latents)
        self._weights = balanced_weights(cases.rows, power=recipe.balance)
        self._noise = noise_scheduler()
        self._sheet_findings = sorted({row.finding for row in cases.rows})
        self.module: nn.Module = build_unet(recipe, latents.shape[2], latents.shape[-1])

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch; see :class:`.Task`."""
        recipe = self._recipe
        rows = random.choice(len(self._weights), size=recipe.batch, p=self._weights)
        turned = torch.from_numpy(random.integers(len(self._latents), size=recipe.batch))
        clean = self._latents[turned, torch.from_numpy(rows)].float().mul(self._scale).to(device())
        prompt = as_prompt(self._captions.draw(rows, random))
        dropped = torch.from_numpy(random.random(recipe.batch) < recipe.prompt_drop)
        prompt[dropped] = as_prompt(self._captions.empty[None])
        times = torch.from_numpy(random.integers(1000, size=recipe.batch)).to(device())
        noise = torch.randn_like(clean)
        noisy = self._noise.add_noise(clean, noise, times)
        wanted = self._noise.get_velocity(clean, noise, times)
        given = self.module(noisy, times, encoder_hidden_states=prompt.to(device())).sample
        error = (given.float() - wanted).square().mean(dim=(1, 2, 3))
        alpha = self._noise.alphas_cumprod.to(device())[times]
        snr = alpha / (1 - alpha)
        weight = snr.clamp(max=recipe.min_snr) / (snr + 1)
        return (weight * error).mean() / weight.mean(), {"mse": error.mean().item()}

    def sheet(self, averaged: nn.Module) -> RgbImage:
        """One held-out report a finding, one picture each, always from the same noise."""
        texts = [held_out_reports(finding)[0] for finding in self._sheet_findings]
        prompt = as_prompt(embed_texts(texts).float()).to(device())
        empty = as_prompt(self._captions.empty[None]).to(device()).expand_as(prompt)
        latents = sample_latents(averaged, prompt, empty, self._recipe, seed=0)
        drawn = self._autoencoder.decode(latents / self._scale).sample  # type: ignore[operator]
        return grid(to_uint8(drawn), columns=10)


def build_unet(
    recipe: DiffusionRecipe, latent_channels: int, latent_px: int
) -> UNet2DConditionModel:
    """The untrained U-Net; the prompt enters with the time step, at every residual block."""
    down = tuple("AttnDownBlock2D" if on else "DownBlock2D" for on in recipe.attention)
    up = tuple("AttnUpBlock2D" if on else "UpBlock2D" for on in reversed(recipe.attention))
    return UNet2DConditionModel(
        sample_size=latent_px,
        in_channels=latent_channels,
        out_channels=latent_channels,
        block_out_channels=recipe.channels,
        layers_per_block=recipe.layers,
        down_block_types=down,
        up_block_types=up,
        cross_attention_dim=384,
        attention_head_dim=8,
        norm_num_groups=16,
        addition_embed_type="text",
        addition_embed_type_num_heads=8,
    )


def noise_scheduler() -> DDIMScheduler:
    """The noise of training; samplers of the same configuration undo it."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        timestep_spacing="trailing",
        clip_sample=False,
        set_alpha_to_one=True,
        steps_offset=1,
    )


def as_prompt(pooled: Tensor) -> Tensor:
    """Mean-pooled states [b dim] as ``SentenceBert`` gives them: unit scale, [b 1 dim]."""
    unit: Tensor = F.normalize(pooled.float(), dim=-1)
    return torch.unsqueeze(unit * pooled.shape[-1] ** 0.5, 1)


def latent_scale(latents: Tensor) -> float:
    """The ``scaling_factor`` that gives latents a standard deviation of 1."""
    return float(1.0 / latents[0].float().std())


@torch.inference_mode()
def sample_latents(
    unet: UNet2DConditionModel, prompt: Tensor, empty: Tensor, recipe: DiffusionRecipe, *, seed: int
) -> Tensor:
    """Guided samples of a batch of prompts [b 1 dim], scaled latents [b c h w]."""
    scheduler = noise_scheduler()
    scheduler.set_timesteps(recipe.steps, device=prompt.device)
    config = unet.config
    shape = (len(prompt), config.in_channels, config.sample_size, config.sample_size)
    latents = torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(prompt.device)
    both = torch.cat([prompt, empty])
    for time in scheduler.timesteps:
        given = unet(latents.repeat(2, 1, 1, 1), time, encoder_hidden_states=both).sample
        conditional, unconditional = given.float().chunk(2)
        guided = unconditional + recipe.guidance * (conditional - unconditional)
        latents = scheduler.step(guided, time, latents).prev_sample
    return latents
