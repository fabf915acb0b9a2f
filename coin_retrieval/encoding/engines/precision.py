"""What makes a network faster, only where it keeps the space: measured when a model is loaded.

Not every network bears bfloat16's 8 bits: MobileNetV2's pooled features keep a cosine of only 0.995
to those in float32, vision transformers 0.9999.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from coin_retrieval.encoding.engines.folding import fold_batch_norms
from coin_retrieval.nets.compute import pick_dtype
from coin_retrieval.types import Dtype

MIN_COSINE = 0.999
SAME = 0.99999
_PROBES, _GRID = 4, 12


def place(
    model: Any,
    embed: Callable[[Any, Tensor], Tensor],
    *,
    input_size: tuple[int, ...],
    dtype: Dtype,
    device: torch.device,
) -> tuple[Any, torch.dtype]:
    """Put a float32 model on its device and in its number format, its batch norms folded.

    Args:
        model: a module in evaluation mode.
        embed: the model's features [n dim] of a batch [n 3 h w].
        input_size: one picture's shape [3 h w].
        dtype: ``auto`` stays with float32 where half precision turns an embedding by more than a
            cosine of 0.999; a named format is used as it is.
        device: where to compute.

    Returns:
        The model, and the format of its weights and inputs.
    """
    chosen = pick_dtype(dtype, device)
    # convolutions are a third faster with channels last, and everything else does not mind
    model = model.requires_grad_(False).to(device, memory_format=torch.channels_last)
    halves = dtype == "auto" and chosen != torch.float32
    folds = any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    if not (halves or folds):
        return model.to(chosen), chosen
    probes = probe_pictures(input_size).to(device)
    exact = _embedded(model, embed, probes)
    if folds:
        unfold = fold_batch_norms(model)
        if not alike(exact, _embedded(model, embed, probes), least=SAME):
            unfold()
    if not halves:
        return model.to(chosen), chosen
    restore = _exact_tensors(model)
    model.to(chosen)
    if alike(exact, _embedded(model, embed, probes.to(chosen)), least=MIN_COSINE):
        return model, chosen
    restore()
    return model, torch.float32


def _embedded(model: Any, embed: Callable[[Any, Tensor], Tensor], pictures: Tensor) -> Tensor:
    with torch.inference_mode():
        return embed(model, pictures).float()


def alike(one: Tensor, other: Tensor, *, least: float) -> bool:
    """Whether each row's cosine to the other's is ``least`` or more."""
    return bool((F.cosine_similarity(one, other) >= least).all())


def _exact_tensors(model: nn.Module) -> Callable[[], None]:
    """Remembers a model's tensors as they are; what is returned puts them back.

    A second model would cost more than the measurement itself.
    """
    parameters = [(parameter, parameter.data) for parameter in model.parameters()]
    buffers = [(module, dict(module._buffers)) for module in model.modules()]

    def restore() -> None:
        for parameter, exact in parameters:
            parameter.data = exact
        for module, exact_buffers in buffers:
            module._buffers.update(exact_buffers)

    return restore


def probe_pictures(input_size: tuple[int, ...]) -> Tensor:
    """Smooth random pictures of normalised values, always the same ones."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn((_PROBES, input_size[0], _GRID, _GRID), generator=generator)
    smooth = F.interpolate(coarse, input_size[1:], mode="bicubic", antialias=True)
    return smooth.contiguous(memory_format=torch.channels_last)
