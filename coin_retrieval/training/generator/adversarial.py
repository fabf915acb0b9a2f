"""Teach a few-step U-Net against a critic that compares where its steps land with real pictures.

A student of distillation lands where its teacher's pictures lie on average: too smooth, and too
alike. Here each of its own states, drawn from noise as it is in use, is held beside the real
latents noised to the same time (Xu et al. 2024, arXiv 2311.09257; Yin et al. 2024, arXiv
2405.14867, section 4.5: training on what inference meets). The critic is the first half of the
U-Net itself with heads at every resolution (Sauer et al. 2024, arXiv 2403.12015; Lin et al. 2024,
arXiv 2402.13929), so it knows latents, times and prompts from its first step on.
"""

from __future__ import annotations

import copy
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from diffusers import UNet2DConditionModel
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.func import functional_call

from coin_retrieval.training.generator.decoder import fixed, hinge
from coin_retrieval.training.generator.diffusion import (
    DiffusionTask,
    noise_scheduler,
    sample_latents,
)
from coin_retrieval.training.generator.perception import FeatureCritic
from coin_retrieval.training.loop import LoopSettings, Task, device
from coin_retrieval.training.pictures.sheets import grid, to_uint8
from coin_retrieval.types import RgbImage


class AdversarialRecipe(BaseModel):
    """How long the student learns from its critic, and how far it may leave what it was.

    ``steps`` are the student's own; ``anchor_weight`` weighs the distance of its velocities from
    those it had, ``critic_rate`` the critic's learning rate beside the student's.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loop: LoopSettings
    batch: int = Field(default=32, gt=0)
    steps: int = Field(default=6, gt=0)
    adversarial_weight: float = Field(default=0.02, gt=0)
    anchor_weight: float = Field(default=1.0, ge=0)
    critic_rate: float = Field(default=2.0, gt=0)


class LatentCritic(nn.Module):
    """The first half of a U-Net, copied, with heads that score every place of every resolution."""

    def __init__(self, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.trunk: Any = copy.deepcopy(unet)
        # what draws is not needed to look
        del self.trunk.up_blocks, self.trunk.conv_norm_out, self.trunk.conv_out
        channels = list(unet.config.block_out_channels)
        self.heads = FeatureCritic([*channels, channels[-1]])

    def forward(self, latents: Tensor, times: Tensor, prompt: Tensor) -> list[Tensor]:
        """Scores [b 1 h w] at each resolution of latents [b c h w] at ``times`` [b]."""
        trunk = self.trunk
        embedded = trunk.time_embedding(trunk.time_proj(times).to(latents.dtype))
        embedded = embedded + trunk.get_aug_embed(embedded, prompt, {})
        state = trunk.conv_in(latents)
        seen = []
        for block in trunk.down_blocks:
            state, passed = block(hidden_states=state, temb=embedded)
            # the last state of this resolution; a block that halves it gives the halved one behind
            seen.append(passed[-1] if block.downsamplers is None else passed[-2])
        seen.append(trunk.mid_block(state, embedded, encoder_hidden_states=prompt))
        scores: list[Tensor] = self.heads(seen)
        return scores


class AdversarialTask(Task):
    """Hinge loss between the student's landings and real latents of the same time and prompt.

    ``source`` is the generator's own training task: it knows pictures, prompts and balance.
    """

    def __init__(
        self, source: DiffusionTask, student: UNet2DConditionModel, recipe: AdversarialRecipe
    ) -> None:
        self._source, self._recipe = source, recipe
        self._before = copy.deepcopy(student).requires_grad_(False).eval().to(device())
        self.module: nn.Module = nn.ModuleDict(
            {"student": student, "critic": LatentCritic(student)}
        )
        noise = noise_scheduler()
        noise.set_timesteps(recipe.steps)
        # the last leap ends at the clean picture; a critic reads it as of time 0
        self._leaps = list(pairwise([*noise.timesteps.tolist(), -1]))
        clean = torch.ones(1)
        self._alphas = torch.cat([noise.alphas_cumprod, clean]).sqrt()
        self._sigmas = (1 - torch.cat([noise.alphas_cumprod, clean])).sqrt()

    def rates(self) -> list[tuple[list[nn.Parameter], float]]:
        """The student's parameters and the critic's; see :class:`.Task`."""
        student, critic = self.module["student"], self.module["critic"]  # type: ignore[index]
        return [
            (list(student.parameters()), 1.0),
            (list(critic.parameters()), self._recipe.critic_rate),
        ]

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """Student's and critic's losses in one sum; neither reaches the other's weights."""
        recipe = self._recipe
        student, critic = self.module["student"], self.module["critic"]  # type: ignore[index]
        clean, prompt = self._source.draw(recipe.batch, random)
        reached = int(random.integers(recipe.steps))
        state = torch.randn_like(clean)
        with torch.no_grad():
            for leap in self._leaps[:reached]:
                state = self._land(state, self._velocity(student, state, leap[0], prompt), *leap)
            before = self._velocity(self._before, state, self._leaps[reached][0], prompt)
        start, end = self._leaps[reached]
        velocity = self._velocity(student, state, start, prompt)
        landed = self._land(state, velocity, start, end)
        real = self._alphas[end] * clean + self._sigmas[end] * torch.randn_like(clean)
        times = torch.full((len(clean),), max(end, 0), device=clean.device)
        scores_real, scores = (critic(part, times, prompt) for part in (real, landed.detach()))
        own = torch.stack([hinge(a, b) for a, b in zip(scores_real, scores, strict=True)]).mean()
        liked = functional_call(critic, fixed(critic), (landed, times, prompt))
        liking = torch.stack([score.mean() for score in liked]).mean()
        moved = (velocity - before).square().mean()
        total = own - recipe.adversarial_weight * liking + recipe.anchor_weight * moved
        return total, {"critic": own.item(), "liking": liking.item(), "moved": moved.item()}

    def _velocity(self, unet: nn.Module, state: Tensor, time: int, prompt: Tensor) -> Tensor:
        times = torch.full((len(state),), time, device=state.device)
        velocity: Tensor = unet(state, times, encoder_hidden_states=prompt).sample
        return velocity.float()

    def _land(self, state: Tensor, velocity: Tensor, start: int, end: int) -> Tensor:
        """One DDIM step (arXiv 2202.00512, appendix D)."""
        picture = self._alphas[start] * state - self._sigmas[start] * velocity
        noise = self._sigmas[start] * state + self._alphas[start] * velocity
        return self._alphas[end] * picture + self._sigmas[end] * noise

    def sheet(self, averaged: nn.Module) -> RgbImage:
        """What it drew before above, what it draws of the same noises below."""
        prompt = self._source.sheet_prompts()
        student = averaged["student"]  # type: ignore[index]
        drawn = [
            self._source.decode(
                sample_latents(unet, prompt, steps=self._recipe.steps, guidance=1.0, seed=0)
            )
            for unet in (self._before, student)
        ]
        return grid(to_uint8(torch.cat(drawn)), columns=len(prompt))
