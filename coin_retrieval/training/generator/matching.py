"""Teach a few-step U-Net to draw a finding as varied as it is, by how far its pictures are off.

A student of distillation lands where its teacher's pictures lie on average: too smooth, and too
alike. Here whole drawings, from noise through every step and the decoder, are compared with the
real pictures of their finding (``energy.py``). The gradient passes through all steps (Clark et al.
2023, arXiv 2309.17400).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from coin_retrieval.nets.noise import offset_noise
from coin_retrieval.training.generator.diffusion import (
    DiffusionTask,
    noise_scheduler,
    sample_latents,
)
from coin_retrieval.training.generator.energy import EnergyDistance
from coin_retrieval.training.generator.leaps import Leaps, Velocity
from coin_retrieval.training.loop import LoopSettings, Task, device
from coin_retrieval.training.pictures.data import PackedCases
from coin_retrieval.training.pictures.sheets import grid, to_uint8
from coin_retrieval.types import RgbImage


class Matching(BaseModel):
    """From how many pictures a student learns, and how far it may leave what it was.

    A batch is ``of_each`` drawings of each of ``findings``, all findings alike, compared with
    ``real`` pictures of their finding and with the last ``kept`` drawings of it. ``steps`` are the
    student's own; ``anchor_weight`` weighs the distance of its velocities from those it had.
    ``noise_offset`` is of the noise that drawings begin as (:func:`.offset_noise`), and what they
    are to be drawn with; a LoRA takes its base's instead. ``apart``: they are also compared along
    what findings are told apart by, which takes thousands of pictures to know.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    findings: int = Field(default=3, gt=0)
    of_each: int = Field(default=6, gt=1)
    steps: int = Field(default=6, gt=0)
    real: int = Field(default=256, gt=0)
    kept: int = Field(default=64, gt=1)
    anchor_weight: float = Field(default=1.0, ge=0)
    noise_offset: float = Field(default=0.0, ge=0, le=1)
    apart: bool = True


class MatchingRecipe(Matching):
    """And how long; one YAML file."""

    loop: LoopSettings


class WholeDrawings:
    """Whole drawings of some findings beside the real pictures of each.

    Args:
        cases: the real pictures.
        findings: of each its rows.
        scheduler: the noise under which the student draws.
        eyes: as of :class:`.EnergyDistance`.
    """

    def __init__(
        self,
        cases: PackedCases,
        findings: Mapping[int, np.ndarray],
        scheduler: Any,
        matching: Matching,
        *,
        eyes: Sequence[nn.Module],
    ) -> None:
        self._matching = matching
        self._rows = dict(findings)
        self._leaps = Leaps(scheduler, matching.steps)
        self._distance = EnergyDistance(
            cases,
            self._rows,
            eyes=eyes,
            real=matching.real,
            kept=matching.kept,
            apart=matching.apart,
        )

    def loss(
        self,
        random: np.random.Generator,
        student_of: Callable[[np.ndarray], tuple[Velocity, Velocity]],
        decode: Callable[[Tensor], Tensor],
        *,
        shape: Sequence[int],
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch; see :class:`.Task`.

        Args:
            student_of: how the student draws what reports say of these rows, and how it did before.
            decode: pictures [b 3 h w] of latents [b c h w], which are of this ``shape`` [c h w].
        """
        matching, count = self._matching, min(self._matching.findings, len(self._rows))
        findings = random.choice(list(self._rows), count, replace=False).tolist()
        rows = np.concatenate([random.choice(self._rows[f], matching.of_each) for f in findings])
        noise = offset_noise((len(rows), *shape), matching.noise_offset).to(device())
        at = int(random.integers(len(self._leaps)))
        latents, moved = self._leaps.draw_beside(*student_of(rows), noise, at=at)
        distance = self._distance.of(decode(latents), findings)
        total = distance + matching.anchor_weight * moved
        return total, {"distance": distance.item(), "moved": moved.item()}


class MatchingTask(Task):
    """A generator's drawings beside the pictures that it was trained on.

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
        self._drawings = WholeDrawings(
            cases, source.rows_by_finding(), noise_scheduler(), recipe, eyes=eyes
        )

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch of whole drawings; see :class:`.Task`."""
        config = self._before.config
        shape = (config.in_channels, config.sample_size, config.sample_size)

        def student_of(rows: np.ndarray) -> tuple[Velocity, Velocity]:
            prompt = self._source.prompts_of(rows, random)
            return (
                lambda state, time: _velocity(self.module, state, time, prompt),
                lambda state, time: _velocity(self._before, state, time, prompt),
            )

        return self._drawings.loss(random, student_of, self._source.decode, shape=shape)

    def sheet(self, averaged: nn.Module) -> RgbImage:
        """What it drew before above, what it draws of the same noises below."""
        prompt = self._source.sheet_prompts()
        drawn = [
            self._source.decode(
                sample_latents(
                    unet,
                    prompt,
                    steps=self._recipe.steps,
                    guidance=1.0,
                    seed=0,
                    noise_offset=self._recipe.noise_offset,
                )
            )
            for unet in (self._before, averaged)
        ]
        return grid(to_uint8(torch.cat(drawn)), columns=len(prompt))


def _velocity(unet: nn.Module, state: Tensor, time: int, prompt: Tensor) -> Tensor:
    times = torch.full((len(state),), time, device=state.device)
    velocity: Tensor = unet(state, times, encoder_hidden_states=prompt).sample
    return velocity.float()
