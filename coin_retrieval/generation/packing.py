"""A network's weights as the processor's matrix units read them, brought into that order once.

oneDNN reorders plain weights at every call, which takes long where they are large and pictures
small: at 512 px SDXL's linear layers and deepest convolutions gain up to a half without it.

Torch does so by itself only in what its compiler has frozen; its public ``torch.utils.mkldnn``
copies every input and every result into a layout of its own and back. So the compiler's operators
are called, which are no public interface: where one is missing, or is called otherwise, layers stay
as they are.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

_OPERATORS = (
    "_convolution_pointwise",
    "_linear_pointwise",
    "_reorder_convolution_weight",
    "_reorder_linear_weight",
)


def packs(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether oneDNN multiplies this number format here, and torch has the operators for it."""
    operators = torch.ops.mkldnn
    return bool(
        device.type == "cpu"
        and dtype == torch.bfloat16
        and torch._C._has_mkldnn
        and hasattr(operators, "_is_mkldnn_bf16_supported")
        and operators._is_mkldnn_bf16_supported()
        and all(hasattr(operators, name) for name in _OPERATORS)
    )


def pack(network: nn.Module) -> None:
    """Pack the weights of ``network``'s linear layers and convolutions, each at its first input.

    The layers' own are given up: it can be run without gradients, by one thread at a time, and
    neither be saved nor changed any more. Inputs of other sizes do as well, a little slower.
    """
    for layer in network.modules():
        if type(layer) is nn.Linear and type(layer.weight) is not nn.Parameter:
            continue  # in 8 bits
        if type(layer) is nn.Linear or (type(layer) is nn.Conv2d and layer.padding_mode == "zeros"):
            layer.__dict__["forward"] = _Packed(layer)
        for name, kept in layer.named_parameters(recurse=False):
            if name != "weight" or kept.ndim == 1:
                kept.data = kept.data.clone()  # else it would hold the whole file in memory


class _Packed:
    """A layer's products, as torch's compiler calls them once it has frozen the weights."""

    def __init__(self, layer: nn.Linear | nn.Conv2d) -> None:
        self._layer = layer
        self._shaped = (
            (layer.padding, layer.stride, layer.dilation, layer.groups)
            if isinstance(layer, nn.Conv2d)
            else ()
        )
        self._weight: Tensor | None = None

    def __call__(self, inputs: Tensor) -> Tensor:
        if self._weight is not None:
            return self._multiplied(inputs, self._weight)
        layer = self._layer
        try:
            weight = self._packed(inputs)
            result = self._multiplied(inputs, weight)
        except (AttributeError, RuntimeError, TypeError):  # another torch's operators
            del layer.__dict__["forward"]
            plain: Tensor = layer.forward(inputs)
            return plain
        self._weight = weight
        layer.weight = nn.Parameter(layer.weight.new_empty(0), requires_grad=False)
        return result

    def _multiplied(self, inputs: Tensor, weight: Tensor) -> Tensor:
        call = (
            torch.ops.mkldnn._convolution_pointwise
            if self._shaped
            else torch.ops.mkldnn._linear_pointwise
        )
        result: Tensor = call(inputs, weight, self._layer.bias, *self._shaped, "none", [], "")
        return result

    def _packed(self, inputs: Tensor) -> Tensor:
        plain = self._layer.weight
        packed: Tensor = (
            torch.ops.mkldnn._reorder_convolution_weight(plain, *self._shaped, inputs.shape)
            if self._shaped
            else torch.ops.mkldnn._reorder_linear_weight(plain, None)
        )
        return packed
