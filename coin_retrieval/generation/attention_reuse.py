"""Attention computed at some steps and kept for those between: neighbouring steps have it alike.

diffusers' own hooks do it (Pyramid Attention Broadcast, Zhao et al. 2024, arXiv 2408.12588); they
ask what time it is, which the pipelines of Stable Diffusion do not tell, but their network is told.
"""

from __future__ import annotations

from typing import Any

import torch
from diffusers.hooks import (
    HookRegistry,
    PyramidAttentionBroadcastConfig,
    apply_pyramid_attention_broadcast,
)
from torch import nn

_STEADY = (100, 800)
"""The times (of 1000) between which attention changes little: the paper's, diffusers' default."""


def reuse_attention(network: nn.Module, every: int) -> None:
    """Let ``network`` compute its attention at every ``every``-th step of the steady times."""
    time = [0.0]

    def read(_: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        told = named["timestep"] if "timestep" in named else inputs[1]
        time[0] = float(torch.as_tensor(told).flatten()[0])

    network.register_forward_pre_hook(read, with_kwargs=True)
    apply_pyramid_attention_broadcast(
        network,
        PyramidAttentionBroadcastConfig(
            spatial_attention_block_skip_range=every,
            cross_attention_block_skip_range=every,
            spatial_attention_timestep_skip_range=_STEADY,
            cross_attention_timestep_skip_range=_STEADY,
            cross_attention_block_identifiers=("transformer_blocks",),
            current_timestep_callback=lambda: time[0],
        ),
    )


def forget_attention(network: nn.Module) -> None:
    """Compute it anew at the next step: another picture, or another number of them, comes."""
    HookRegistry.check_if_exists_or_initialize(network).reset_stateful_hooks()
