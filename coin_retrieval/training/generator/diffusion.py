"""Train the generator's U-Net in the autoencoder's latent space.

Velocity prediction (Salimans & Ho 2022, arXiv 2202.00512), min-SNR weighting (Hang et al. 2023,
arXiv 2303.09556, γ = 5), zero terminal SNR (Lin et al. 2023, arXiv 2305.08891) and dropped prompts
for classifier-free guidance (Ho & Salimans 2022, arXiv 2207.12598).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from coin_retrieval.nets.noise import offset_noise
from coin_retrieval.training.loop import LoopSettings, Task, device
from coin_retrieval.training.pictures.data import PackedCases
from coin_retrieval.training.pictures.sampling import balanced_weights
from coin_retrieval.training.pictures.sheets import grid, to_uint8
from coin_retrieval.training.warm_start import take_over_generator
from coin_retrieval.types import RgbImage
from coin_retrieval.wordings.captions import statements_of
from coin_retrieval.wordings.concepts import Concepts


class DiffusionRecipe(BaseModel):
    """The U-Net's shape, training and sampling; one YAML file.

    ``unstated`` is how often a group of concepts other than the finding is left out, ``doubted``
    how often the finding is mixed with another, as an unsure reader states it. ``start_from`` is
    the directory of a generator, whose U-Net is taken over concept by concept.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loop: LoopSettings
    side_px: int = 128
    orientations: tuple[int, ...] = tuple(range(8))
    batch: int = 48
    channels: tuple[int, ...] = (96, 128, 160)
    attention: tuple[bool, ...] = (False, True, False)
    head_dim: int = Field(default=8, gt=0)
    layers: int = 1
    start_from: Path | None = None
    balance: float = Field(default=0.5, ge=0, le=1)
    unstated: float = Field(default=0.5, ge=0, le=1)
    doubted: float = Field(default=0.3, ge=0, le=1)
    prompt_drop: float = Field(default=0.1, ge=0, lt=1)
    min_snr: float = 5.0
    steps: int = Field(default=12, gt=0)
    guidance: float = Field(default=3.0, ge=1)


class DiffusionTask(Task):
    """Predict the velocity of noised latents from what a report may state of the picture."""

    def __init__(
        self,
        cases: PackedCases,
        latents: Tensor,
        concepts: Concepts,
        recipe: DiffusionRecipe,
        *,
        autoencoder: nn.Module,
    ) -> None:
        """Take latents [orientations n c h w], as ``encode_all`` gives them."""
        self._latents, self._concepts, self._recipe = latents, concepts, recipe
        self._stated = np.stack([concepts.indices(statements_of(row)) for row in cases.rows])
        self._autoencoder = autoencoder
        self._scale = latent_scale(latents)
        self._weights = balanced_weights(cases.rows, power=recipe.balance)
        self._noise = noise_scheduler()
        self.module: nn.Module = build_unet(
            recipe, latents.shape[2], latents.shape[-1], concepts.dim
        )
        if recipe.start_from is not None:
            take_over_generator(self.module, recipe.start_from, concepts)

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch; see :class:`.Task`."""
        recipe = self._recipe
        clean, prompt = self.draw(recipe.batch, random)
        times = torch.from_numpy(random.integers(1000, size=recipe.batch)).to(device())
        noise = torch.randn_like(clean)
        noisy = self._noise.add_noise(clean, noise, times)
        wanted = self._noise.get_velocity(clean, noise, times)
        given = self.module(noisy, times, encoder_hidden_states=prompt).sample
        error = (given.float() - wanted).square().mean(dim=(1, 2, 3))
        alpha = self._noise.alphas_cumprod.to(device())[times]
        snr = alpha / (1 - alpha)
        weight = snr.clamp(max=recipe.min_snr) / (snr + 1)
        return (weight * error).mean() / weight.mean(), {"mse": error.mean().item()}

    def draw(self, count: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Scaled latents [b c h w] of pictures drawn by balance, and their prompts [b 1 dim]."""
        rows = random.choice(len(self._weights), size=count, p=self._weights)
        turned = torch.from_numpy(random.integers(len(self._latents), size=count))
        clean = self._latents[turned, torch.from_numpy(rows)].float().mul(self._scale)
        return clean.to(device()), as_prompt(self._prompts(rows, random)).to(device())

    def rows_by_finding(self) -> dict[int, np.ndarray]:
        """The rows of each finding that has a name."""
        findings = self._stated[:, 0]
        return {
            int(finding): np.flatnonzero(findings == finding)
            for finding in np.unique(findings[findings >= 0])
        }

    def prompts_of(self, rows: np.ndarray, random: np.random.Generator) -> Tensor:
        """What a report that is sure of the finding may state of these rows, [b 1 dim]."""
        stated = self._stated[rows].copy()
        left_out = self._left_out(stated.shape, random)
        left_out[:, 0] = False
        stated[left_out] = -1
        return as_prompt(self._concepts.vectors(stated)).to(device())

    def _left_out(self, shape: tuple[int, ...], random: np.random.Generator) -> np.ndarray:
        # each report has its own habit of leaving things out
        habit = np.minimum(1.0, 2 * self._recipe.unstated * random.random((shape[0], 1)))
        return random.random(shape) < habit

    def _prompts(self, rows: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """What a report may state of these rows, float32 [b dim]; nothing at times."""
        recipe, stated = self._recipe, self._stated[rows].copy()
        left_out = self._left_out(stated.shape, random)
        left_out[:, 0] = random.random(len(rows)) < 0.05
        stated[left_out] = -1
        vectors = self._concepts.vectors(stated)
        findings = len(next(iter(self._concepts.groups.values())))
        doubt = random.uniform(0, 0.4, (len(rows), 1)) * (
            random.random((len(rows), 1)) < recipe.doubted
        )
        other = np.eye(findings, dtype=np.float32)[random.integers(findings, size=len(rows))]
        named = vectors[:, :findings].sum(1, keepdims=True)
        vectors[:, :findings] = (1 - doubt) * vectors[:, :findings] + doubt * named * other
        vectors[random.random(len(rows)) < recipe.prompt_drop] = 0.0
        return vectors

    def sheet_prompts(self) -> Tensor:
        """What the first training row of each finding states, [findings 1 dim]."""
        _, first = np.unique(self._stated[:, 0], return_index=True)
        return as_prompt(self._concepts.vectors(self._stated[first])).to(device())

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures [b 3 h w] of scaled latents."""
        drawn: Tensor = self._autoencoder.decode(latents / self._scale).sample  # type: ignore[operator]
        return drawn

    def sheet(self, averaged: nn.Module) -> RgbImage:
        """One picture a finding, always from the same noises."""
        recipe = self._recipe
        latents = sample_latents(
            averaged, self.sheet_prompts(), steps=recipe.steps, guidance=recipe.guidance, seed=0
        )
        return grid(to_uint8(self.decode(latents)), columns=10)


def build_unet(
    recipe: DiffusionRecipe, latent_channels: int, latent_px: int, concepts: int
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
        cross_attention_dim=concepts,
        attention_head_dim=recipe.head_dim,
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


def as_prompt(vectors: np.ndarray) -> Tensor:
    """Concept vectors [b dim] as the one token that the U-Net is shown: [b 1 dim]."""
    return torch.from_numpy(vectors).unsqueeze(1)


def latent_scale(latents: Tensor) -> float:
    """The ``scaling_factor`` that gives latents a standard deviation of 1."""
    return float(1.0 / latents[0].float().std())


@torch.inference_mode()
def sample_latents(
    unet: Any, prompt: Tensor, *, steps: int, guidance: float, seed: int, noise_offset: float = 0.0
) -> Tensor:
    """Samples of a batch of prompts [b 1 dim], scaled latents [b c h w]; 1 is no guidance."""
    scheduler = noise_scheduler()
    scheduler.set_timesteps(steps, device=prompt.device)
    config = unet.config
    shape = (len(prompt), config.in_channels, config.sample_size, config.sample_size)
    generator = torch.Generator().manual_seed(seed)
    latents = offset_noise(shape, noise_offset, generator=generator).to(prompt.device)
    both = torch.cat([prompt, torch.zeros_like(prompt)]) if guidance > 1 else prompt
    for time in scheduler.timesteps:
        given = unet(
            latents.repeat(len(both) // len(prompt), 1, 1, 1), time, encoder_hidden_states=both
        ).sample.float()
        if guidance > 1:
            conditional, unconditional = given.chunk(2)
            given = unconditional + guidance * (conditional - unconditional)
        latents = scheduler.step(given, time, latents).prev_sample
    return latents
