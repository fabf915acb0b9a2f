"""From noise to picture, distance map and labels, all three at every step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from diffusers import DDIMScheduler
from torch import Tensor

from coin_retrieval.nets.joint.multinomial import drawn, one_hot, posterior
from coin_retrieval.nets.joint.network import JointNet


def noise_scheduler() -> DDIMScheduler:
    """The noise of picture and distance map: 1000 steps of a cosine; labels share its ᾱ.

    What is clean is predicted, not the noise: a small network need not carry noise through itself.
    """
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="sample",
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
        clip_sample=True,
    )


@dataclass(frozen=True)
class Denoised:
    """``pictures`` [b 3 h w] and ``distances`` [b h w] in [-1, 1], ``labels`` int64 [b h w]."""

    pictures: Tensor
    distances: Tensor
    labels: Tensor


@torch.inference_mode()
def sample(
    network: JointNet,
    layouts: Tensor,
    prompts: Tensor,
    seeds: list[int],
    *,
    steps: int,
    guidance: float,
    on_step: Callable[[int], None] = lambda step: None,
) -> Denoised:
    """Draw pairs: each from its own seed, whatever else is in the batch.

    Guidance (Ho and Salimans 2022, arXiv 2207.12598) concerns the prompt alone; the layout is
    always shown, as its authors have it.

    Args:
        layouts: [b kinds h w].
        prompts: [b 1 dim].
    """
    scheduler = noise_scheduler()
    scheduler.set_timesteps(steps)
    side, classes = network.config.side_px, len(network.config.labels)
    sources = [torch.Generator().manual_seed(seed) for seed in seeds]
    device = layouts.device

    def noise(channels: int, kind: Callable[..., Tensor]) -> Tensor:
        each = [kind((channels, side, side), generator=source) for source in sources]
        return torch.stack(each).to(device)

    gaussian = noise(4, torch.randn)
    labels = noise(classes, torch.rand).argmax(dim=1)
    kept = torch.cat([scheduler.alphas_cumprod, torch.ones(1)]).to(device)
    times = [*scheduler.timesteps.tolist(), -1]
    guided = guidance > 1
    for number, (now, before) in enumerate(pairwise(times)):
        certain = one_hot(labels, classes)
        given = _denoise(network, gaussian, certain, layouts, prompts, now)
        if guided:
            free = _denoise(network, gaussian, certain, layouts, torch.zeros_like(prompts), now)
            given = free + guidance * (given - free)
        gaussian = scheduler.step(given[:, :4], now, gaussian).prev_sample
        clean = given[:, 4:].softmax(dim=1)
        last = before < 0
        shares = clean
        if not last:
            shares = posterior(certain, clean, kept[before].view(1), kept[now].view(1))
        # the last step takes the likeliest: what is left is no noise of the picture's
        labels = shares.argmax(dim=1) if last else drawn(shares, noise(classes, torch.rand))
        on_step(number + 1)
    return Denoised(gaussian[:, :3].clamp(-1, 1), gaussian[:, 3].clamp(-1, 1), labels)


def _denoise(
    network: JointNet, gaussian: Tensor, label: Tensor, layouts: Tensor, prompts: Tensor, time: int
) -> Tensor:
    times = torch.full((len(gaussian),), time, device=gaussian.device)
    parts = network(gaussian[:, :3], gaussian[:, 3:4], label, layouts, times, prompts)
    return torch.cat([part.float() for part in parts], dim=1)
