"""diffusers' residual blocks without their copies: each step overwrites what the one before made.

A block is two of norm, SiLU and convolution. As diffusers writes it, each activation, each sum and
a division by one take memory of their own: a tenth of an SDXL decoder's time on two CPU cores.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch.nn.functional as F
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn


def overwrite(network: nn.Module) -> None:
    """Let ``network``'s residual blocks work in place; the results are the same, bit for bit.

    It can be run without gradients only. Blocks that also resize or scale stay as they are.
    """
    for block in network.modules():
        if isinstance(block, ResnetBlock2D) and _plain(block):
            block.forward = MethodType(_forward, block)


def _plain(block: Any) -> bool:
    return (
        block.upsample is None
        and block.downsample is None
        and block.time_embedding_norm == "default"
        and not block.skip_time_act
        and block.output_scale_factor == 1
        and isinstance(block.nonlinearity, nn.SiLU)
    )


def _forward(block: Any, input_tensor: Tensor, temb: Tensor | None = None) -> Tensor:
    made: Tensor = block.conv1(F.silu(block.norm1(input_tensor), inplace=True))
    if block.time_emb_proj is not None:
        made += block.time_emb_proj(block.nonlinearity(temb))[:, :, None, None]
    made = block.conv2(F.silu(block.norm2(made), inplace=True))
    kept = input_tensor if block.conv_shortcut is None else block.conv_shortcut(input_tensor)
    return made.add_(kept)
