"""Teach a few-step U-Net to draw a finding as varied as it is, by how far its pictures are off.

A student of distillation lands where its teacher's pictures lie on average: too smooth, and too
alike. Here whole drawings, from noise through every step and the decoder, are compared with the
real pictures of their finding (``energy.py``). The gradient passes through all steps (Clark et al.
2023, arXiv 2309.17400).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
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
    student's own; ``anchor_weight`` weighs the distance of its velocities from those it had,
    ``decoder_anchor_weight`` how far its pictures are from what the decoder made of the same
    latents, seen from afar. ``noise_offset`` is of the noise that they begin as
    (:func:`.offset_noise`), and is what they are to be drawn with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    findings: int = Field(default=3, gt=0)
    of_each: int = Field(default=6, gt=1)
    steps: int = Field(default=6, gt=0)
    real: int = Field(default=256, gt=0)
    kept: int = Field(default=64, gt=1)
    anchor_weight: float = Field(default=1.0, ge=0)
    decoder_anchor_weight: float = Field(default=4.0, ge=0)
    noise_offset: float = Field(default=0.0, ge=0, le=1)


class MatchingRecipe(Matching):
    """And how long; one YAML file.

    ``decoder_rate`` is the decoder's share of the learning rate; 0 leaves it as it is.
    """

    loop: LoopSettings
    decoder_rate: float = Field(default=2.0, ge=0)


_AFAR_PX = 8


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
            cases, self._rows, eyes=eyes, real=matching.real, kept=matching.kept
        )

    def loss(
        self,
        random: np.random.Generator,
        student_of: Callable[[np.ndarray], tuple[Velocity, Velocity]],
        decoders: Sequence[Callable[[Tensor], Tensor]],
        *,
        shape: Sequence[int],
    ) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch; see :class:`.Task`.

        Args:
            student_of: how the student draws what reports say of these rows, and how it did before.
            decoders: pictures [b 3 h w] of latents [b c h w], which are of this ``shape`` [c h w];
                and, if the decoder learns too, those it made before.
        """
        matching, count = self._matching, min(self._matching.findings, len(self._rows))
        findings = random.choice(list(self._rows), count, replace=False).tolist()
        rows = np.concatenate([random.choice(self._rows[f], matching.of_each) for f in findings])
        noise = offset_noise((len(rows), *shape), matching.noise_offset).to(device())
        at = int(random.integers(len(self._leaps)))
        latents, moved = self._leaps.draw_beside(*student_of(rows), noise, at=at)
        pictures, *before = (decode(latents) for decode in decoders)
        distance = self._distance.of(pictures, findings)
        total = distance + matching.anchor_weight * moved
        figures = {"distance": distance.item(), "moved": moved.item()}
        for earlier in before:
            recoloured = F.avg_pool2d(pictures - earlier, _AFAR_PX).square().mean()
            total = total + matching.decoder_anchor_weight * recoloured
            figures["recoloured"] = recoloured.item()
        return total, figures


class Drawer(nn.Module):
    """What makes a picture of noise, and is taught as one: a few-step U-Net and a decoder."""

    def __init__(self, unet: UNet2DConditionModel, decoder: nn.Module) -> None:
        super().__init__()
        self.unet, self.decoder = unet, decoder


class MatchingTask(Task):
    """A generator's drawings beside the pictures that it was trained on.

    Args:
        source: the generator's own training task: it knows findings and prompts.
        student: what learns, its decoder only at a rate.
    """

    def __init__(
        self,
        source: DiffusionTask,
        student: Drawer,
        cases: PackedCases,
        recipe: MatchingRecipe,
        *,
        eyes: Sequence[nn.Module],
    ) -> None:
        self._source, self._recipe = source, recipe
        student.decoder.requires_grad_(recipe.decoder_rate > 0)
        self._student = student
        self.module: nn.Module = student
        self._before = copy.deepcopy(student).requires_grad_(False).eval().to(device())
        self._drawings = WholeDrawings(
            cases, source.rows_by_finding(), noise_scheduler(), recipe, eyes=eyes
        )

    def rates(self) -> list[tuple[list[nn.Parameter], float]]:
        """The decoder's weights at a rate of their own."""
        rates = [(list(self._student.unet.parameters()), 1.0)]
        if self._recipe.decoder_rate:
            rates.append((list(self._student.decoder.parameters()), self._recipe.decoder_rate))
        return rates

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch of whole drawings; see :class:`.Task`."""
        config = self._before.unet.config
        shape = (config.in_channels, config.sample_size, config.sample_size)

        def student_of(rows: np.ndarray) -> tuple[Velocity, Velocity]:
            prompt = self._source.prompts_of(rows, random)
            return (
                lambda state, time: _velocity(self._student.unet, state, time, prompt),
                lambda state, time: _velocity(self._before.unet, state, time, prompt),
            )

        decoders = [partial(self._source.decode, decoder=self._student.decoder)]
        if self._recipe.decoder_rate:
            decoders.append(
                torch.no_grad()(partial(self._source.decode, decoder=self._before.decoder))
            )
        return self._drawings.loss(random, student_of, decoders, shape=shape)

    def sheet(self, averaged: nn.Module) -> RgbImage:
        """What it drew before above, what it draws of the same noises below."""
        prompt = self._source.sheet_prompts()
        drawn = [
            self._source.decode(
                sample_latents(
                    of.unet,
                    prompt,
                    steps=self._recipe.steps,
                    guidance=1.0,
                    seed=0,
                    noise_offset=self._recipe.noise_offset,
                ),
                of.decoder,
            )
            for of in (self._before, cast(Drawer, averaged))
        ]
        return grid(to_uint8(torch.cat(drawn)), columns=len(prompt))


def _velocity(unet: nn.Module, state: Tensor, time: int, prompt: Tensor) -> Tensor:
    times = torch.full((len(state),), time, device=state.device)
    velocity: Tensor = unet(state, times, encoder_hidden_states=prompt).sample
    return velocity.float()
