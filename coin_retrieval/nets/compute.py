"""Where and in which number format a network runs, decided once for every backend."""

from __future__ import annotations

import torch

from coin_retrieval.errors import SettingsError
from coin_retrieval.types import Dtype


def pick_device(name: str = "auto") -> torch.device:
    """``auto``: the first GPU if there is one, else the CPU.

    Raises:
        SettingsError: a name that torch does not know, or a GPU that is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise SettingsError(
            "unknown device", value=name, expected="auto, cpu or cuda[:N]"
        ) from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SettingsError(
            "no GPU is visible",
            value=name,
            expected="a CUDA device",
            remedy="use device: auto or cpu",
        )
    return device


def pick_dtype(dtype: Dtype, device: torch.device) -> torch.dtype:
    """``auto``: bfloat16 where the hardware multiplies it, float16 on other GPUs, else float32."""
    if dtype != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}[
            dtype
        ]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return torch.bfloat16 if _cpu_multiplies_bf16() else torch.float32


def mixed_precision(device: torch.device, *, wanted: bool = True) -> torch.autocast:
    """bfloat16 products where the hardware multiplies them; elsewhere nothing changes."""
    fast = pick_dtype("auto", device) == torch.bfloat16
    return torch.autocast(device.type, torch.bfloat16, enabled=wanted and fast)


def _cpu_multiplies_bf16() -> bool:
    """AVX512-BF16 or AMX: without them oneDNN emulates bfloat16, a hundred times slower."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
