"""Teach a copy of a trained U-Net to take few, long, unguided steps where the teacher takes many.

Progressive distillation (Salimans & Ho 2022, arXiv 2202.00512, algorithm 2) in one round: between
two of the student's times the teacher takes several guided DDIM steps, and the student learns the
velocity whose single step lands there. Guidance is folded in (Meng et al. 2023, arXiv 2210.03142),
so the student needs one evaluation a step instead of two.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from coin_retrieval.training.generator.diffusion import (
    DiffusionTask,
    noise_scheduler,
    sample_latents,
)
from coin_retrieval.training.generator.leaps import Leaps
from coin_retrieval.training.loop import LoopSettings, Task, device
from coin_retrieval.training.pictures.sheets import grid, to_uint8
from coin_retrieval.types import RgbImage


class DistillationRecipe(BaseModel):
    """How few steps, and how the teacher takes them; one YAML file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    loop: LoopSettings
    batch: int = Field(default=32, gt=0)
    steps: int = Field(default=4, gt=0)
    teacher_steps: int = Field(default=12, gt=0)
    guidance: float = Field(default=3.0, ge=1)

    @model_validator(mode="after")
    def _whole_strides(self) -> Self:
        if self.teacher_steps % self.steps:
            raise ValueError("teacher_steps must be a multiple of steps")
        return self


class DistillationTask(Task):
    """The student's velocity against the one that leaps as far as the teacher walks.

    ``source`` is the teacher's own training task: it knows pictures, prompts and balance.
    """

    def __init__(
        self, source: DiffusionTask, teacher: UNet2DConditionModel, recipe: DistillationRecipe
    ) -> None:
        self._source, self._recipe = source, recipe
        self._teacher = teacher.requires_grad_(False).eval().to(device())
        student = UNet2DConditionModel.from_config(teacher.config)
        student.load_state_dict(teacher.state_dict())
        self.module: nn.Module = student
        self._leaps = Leaps(noise_scheduler(), recipe.steps)

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch, all at one of the student's times; see :class:`.Task`."""
        clean, prompt = self._source.draw(self._recipe.batch, random)
        start, end = self._leaps[int(random.integers(len(self._leaps)))]
        alphas, sigmas = self._leaps.alphas, self._leaps.sigmas
        noise = torch.randn_like(clean)
        noisy = alphas[start] * clean + sigmas[start] * noise
        landed = self._walk(noisy, prompt, start, end)
        wanted = velocity_of_leap(
            noisy,
            landed,
            (float(alphas[start]), float(sigmas[start])),
            (float(alphas[end]), float(sigmas[end])),
        )
        times = torch.full((len(clean),), start, device=clean.device)
        given = self.module(noisy, times, encoder_hidden_states=prompt).sample
        error = (given.float() - wanted).square().mean()
        return error, {f"mse at {start}": error.item()}

    @torch.no_grad()
    def _walk(self, noisy: Tensor, prompt: Tensor, start: int, end: int) -> Tensor:
        """The teacher's guided DDIM steps from one time to another."""
        recipe = self._recipe
        strides = recipe.teacher_steps // recipe.steps
        path = np.linspace(start, end, strides + 1).round().astype(int).tolist()
        both = torch.cat([prompt, torch.zeros_like(prompt)])
        for here, there in pairwise(path):
            times = torch.full((2 * len(noisy),), here, device=noisy.device)
            given = self._teacher(noisy.repeat(2, 1, 1, 1), times, encoder_hidden_states=both)
            conditional, unconditional = given.sample.float().chunk(2)
            velocity = unconditional + recipe.guidance * (conditional - unconditional)
            noisy = self._leaps.land(noisy, velocity, here, there)
        return noisy

    def sheet(self, averaged: nn.Module) -> RgbImage:
        """The teacher's pictures above, the student's of the same noises below."""
        prompt = self._source.sheet_prompts()
        recipe = self._recipe
        walked = sample_latents(
            self._teacher, prompt, steps=recipe.teacher_steps, guidance=recipe.guidance, seed=0
        )
        leapt = sample_latents(averaged, prompt, steps=recipe.steps, guidance=1.0, seed=0)
        drawn = [self._source.decode(latents) for latents in (walked, leapt)]
        return grid(to_uint8(torch.cat(drawn)), columns=len(prompt))


def velocity_of_leap(
    noisy: Tensor, landed: Tensor, start: tuple[float, float], end: tuple[float, float]
) -> Tensor:
    """The velocity with which one DDIM step from ``noisy`` lands on ``landed``.

    ``start`` and ``end`` are (α, σ) of the two times. From x' = α' x₀ + σ' ε with
    x₀ = α x − σ v and ε = σ x + α v (arXiv 2202.00512, appendix D).
    """
    (alpha, sigma), (alpha_end, sigma_end) = start, end
    kept = alpha_end * alpha + sigma_end * sigma
    turned = sigma_end * alpha - alpha_end * sigma
    return (landed - kept * noisy) / turned


def load_unet(directory: Path) -> UNet2DConditionModel:
    """The U-Net of a trained generator, float32."""
    return UNet2DConditionModel.from_pretrained(
        directory / "unet", local_files_only=True, torch_dtype=torch.float32
    )
