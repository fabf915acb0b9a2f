"""The few, long, deterministic steps that a distilled generator takes: DDIM of its velocities."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

Velocity = Callable[[Tensor, int], Tensor]
"""Of a state [b c h w] at a time."""

CLEAN = -1
"""Where the last leap ends: the clean picture, which has no time."""


class Leaps:
    """Of so many steps under a scheduler's noise; pairs of times, of which the first is noise's."""

    def __init__(self, scheduler: Any, steps: int) -> None:
        scheduler.set_timesteps(steps)
        self._pairs = tuple(pairwise([*scheduler.timesteps.tolist(), CLEAN]))
        clean = torch.ones(1)
        self.alphas = torch.cat([scheduler.alphas_cumprod, clean]).sqrt()
        self.sigmas = (1 - torch.cat([scheduler.alphas_cumprod, clean])).sqrt()

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return iter(self._pairs)

    def __getitem__(self, place: int) -> tuple[int, int]:
        return self._pairs[place]

    def land(self, state: Tensor, velocity: Tensor, start: int, end: int) -> Tensor:
        """Where one step leads (Salimans and Ho 2022, arXiv 2202.00512, appendix D)."""
        picture = self.alphas[start] * state - self.sigmas[start] * velocity
        noise = self.sigmas[start] * state + self.alphas[start] * velocity
        return self.alphas[end] * picture + self.sigmas[end] * noise

    def draw(self, velocity: Velocity, noise: Tensor) -> Tensor:
        """Latents through every step."""
        state = noise
        for start, end in self:
            state = self.land(state, velocity(state, start), start, end)
        return state

    def draw_beside(
        self, velocity: Velocity, before: Velocity, noise: Tensor, *, at: int
    ) -> tuple[Tensor, Tensor]:
        """Latents through every step; and how far from ``before`` the velocity is ``at`` one of
        them, mean square."""
        moved = noise.new_zeros(())
        anchored, _ = self[at]

        def compared(state: Tensor, time: int) -> Tensor:
            nonlocal moved
            given = velocity(state, time)
            if time == anchored:
                with torch.no_grad():
                    earlier = before(state, time)
                moved = (given - earlier).square().mean()
            return given

        return self.draw(compared, noise), moved
