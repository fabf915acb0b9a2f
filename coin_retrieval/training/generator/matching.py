"""Teach a few-step U-Net to draw a finding as varied as it is, by how far its pictures are off.

A student of distillation lands where its teacher's pictures lie on average: too smooth, and too
alike. Here whole drawings, from noise through every step and the decoder, are compared with the
real pictures of their finding (``energy.py``). The gradient passes through all steps (Clark et al.
2023, arXiv 2309.17400).
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from coin_retrieval.training.generator.diffusion import (
    DiffusionTask,
    noise_scheduler,
    sample_latents,
)
from coin_retrieval.training.generator.energy import EnergyDistance
from coin_retrieval.training.generator.leaps import Leaps
from coin_retrieval.training.loop import LoopSettings, Task, device
from coin_retrieval.training.pictures.data import PackedCases
from coin_retrieval.training.pictures.sheets import grid, to_uint8
from coin_retrieval.types import RgbImage


class Matching(BaseModel):
    """From how many pictures a student learns, and how far it may leave what it was.

    A batch is ``of_each`` drawings of each of ``findings``, compared with ``real`` pictures of
    their finding and with the last ``kept`` drawings of it. ``steps`` are the student's own;
    ``anchor_weight`` weighs the distance of its velocities from those it had.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    findings: int = Field(default=3, gt=0)
    of_each: int = Field(default=6, gt=1)
    steps: int = Field(default=6, gt=0)
    real: int = Field(default=256, gt=0)
    kept: int = Field(default=64, gt=1)
    anchor_weight: float = Field(default=1.0, ge=0)


class MatchingRecipe(Matching):
    """And how long; one YAML file."""

    loop: LoopSettings


class MatchingTask(Task):
    """The energy distance of drawings from the real pictures of their finding.

    ``source`` is the generator's own training task: it knows findings, prompts and balance.
    """

    def __init__(
        self,
        source: DiffusionTask,
        student: UNet2DConditionModel,
        cases: PackedCases,
        recipe: MatchingRecipe,
        *,
        eyes: Sequence[nn.Module],
    ) -> None:
        self._source, self._recipe = source, recipe
        self._before = copy.deepcopy(student).requires_grad_(False).eval().to(device())
        self.module: nn.Module = student
        self._leaps = Leaps(noise_scheduler(), recipe.steps)
        found = source.rows_by_finding()
        self._rows = {finding: rows for finding, (rows, _) in found.items()}
        shares = np.array([share for _, share in found.values()])
        self._shares = shares / shares.sum()
        self._distance = EnergyDistance(
            cases, self._rows, eyes=eyes, real=recipe.real, kept=recipe.kept
        )

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch of whole drawings; see :class:`.Task`."""
        recipe, each = self._recipe, self._recipe.of_each
        count = min(recipe.findings, len(self._rows))
        findings = random.choice(list(self._rows), count, replace=False, p=self._shares).tolist()
        rows = np.concatenate([random.choice(self._rows[finding], each) for finding in findings])
        prompt = self._source.prompts_of(rows, random)
        config = self._before.config
        side = config.sample_size
        noise = torch.randn((len(rows), config.in_channels, side, side), device=prompt.device)
        latents, moved = self._leaps.draw_beside(
            lambda state, time: _velocity(self.module, state, time, prompt),
            lambda state, time: _velocity(self._before, state, time, prompt),
            noise,
            at=int(random.integers(len(self._leaps))),
        )
        distance = self._distance.of(self._source.decode(latents), findings)
        total = distance + recipe.anchor_weight * moved
        return total, {"distance": distance.item(), "moved": moved.item()}

    def sheet(self, averaged: nn.Module) -> RgbImage:
        """What it drew before above, what it draws of the same noises below."""
        prompt = self._source.sheet_prompts()
        drawn = [
            self._source.decode(
                sample_latents(unet, prompt, steps=self._recipe.steps, guidance=1.0, seed=0)
            )
            for unet in (self._before, averaged)
        ]
        return grid(to_uint8(torch.cat(drawn)), columns=len(prompt))


def _velocity(unet: nn.Module, state: Tensor, time: int, prompt: Tensor) -> Tensor:
    times = torch.full((len(state),), time, device=state.device)
    velocity: Tensor = unet(state, times, encoder_hidden_states=prompt).sample
    return velocity.float()
