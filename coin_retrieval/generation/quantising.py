"""A denoising network's transformer layers in 8 bits, by torchao: where the hardware multiplies it.

Weights are rounded once, a scale a row; activations at each call, a scale a token. Convolutions
stay as they are, which are half of a U-Net's work (docs/performance.md): transformers gain more.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from coin_retrieval.config import Quantised
from coin_retrieval.errors import MissingDependencyError, SettingsError

_LEAST = 512
"""Narrower layers cost more to round than they gain."""


def quantise(network: nn.Module, how: Quantised, device: torch.device) -> None:
    """Round the wide linear layers of ``network``'s transformer blocks, in place.

    Args:
        network: on its device, whatever is fused into its weights fused already.
        how: ``int8``, or ``fp8`` on a GPU of compute capability 8.9 or more.
        device: where it computes.

    Raises:
        MissingDependencyError: torchao is not installed.
        SettingsError: the device does not multiply this format, or no layer is wide enough.
    """
    try:
        from torchao.quantization import (
            Float8DynamicActivationFloat8WeightConfig,
            Int8DynamicActivationInt8WeightConfig,
            PerRow,
            quantize_,
        )
    except ImportError as error:
        raise MissingDependencyError(
            f"networks in 8 bits need torchao ({error})",
            remedy="pip install coin-retrieval[quantised], or leave quantised out",
        ) from error
    if how == "fp8" and not _multiplies_fp8(device):
        raise SettingsError(
            "this device multiplies no 8-bit floats",
            value=str(device),
            expected="a GPU of compute capability 8.9 or more (Ada, Hopper or later)",
            remedy="use quantised=int8, or leave it out",
        )
    if not any(_wide(module, name) for name, module in network.named_modules()):
        raise SettingsError(
            "this network has no layers that are worth 8 bits",
            value=type(network).__name__,
            expected=f"transformer blocks with linear layers of {_LEAST} or more",
            remedy="leave quantised out",
        )
    config = (
        Int8DynamicActivationInt8WeightConfig()
        if how == "int8"
        else Float8DynamicActivationFloat8WeightConfig(granularity=PerRow())
    )
    quantize_(network, config, _wide)


def _wide(module: Any, name: str) -> bool:
    return (
        isinstance(module, nn.Linear)
        and "transformer_blocks" in name
        and min(module.in_features, module.out_features) >= _LEAST
    )


def _multiplies_fp8(device: torch.device) -> bool:
    return device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 9)
