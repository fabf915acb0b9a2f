"""Depthwise convolutions whose gradients do not cost ten times what they need to.

oneDNN computes a depthwise convolution in bfloat16 as fast as one may wish, and its gradients by a
reference loop: on a core with AMX, 386 ms where float32 takes 23 (144 channels, 5 x 5, stride 2).
So forwards stay in the format of autocast, and gradients are computed in float32.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from timm.layers import Conv2dSame, pad_same
from torch import Tensor, nn


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, images: Tensor, weight: Tensor, stride: tuple[int, int], padding: tuple[int, int]
    ) -> Tensor:
        ctx.save_for_backward(images, weight)
        ctx.stride, ctx.padding = stride, padding
        return F.conv2d(images, weight.to(images.dtype), None, stride, padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        images, weight = ctx.saved_tensors
        wanted = [ctx.needs_input_grad[0], ctx.needs_input_grad[1], False]
        of_images, of_weight, _ = torch.ops.aten.convolution_backward(
            gradients[0].float(),
            images.float(),
            weight.float(),
            None,
            list(ctx.stride),
            list(ctx.padding),
            [1, 1],
            False,
            [0, 0],
            len(weight),
            wanted,
        )
        return (
            of_images.to(images.dtype) if of_images is not None else None,
            of_weight.to(weight.dtype) if of_weight is not None else None,
            None,
            None,
        )


class QuickDepthwise(nn.Conv2d):
    """A bias-free depthwise convolution, with timm's "same" padding where it had that."""

    def forward(self, images: Tensor) -> Tensor:
        """[b c h w] to [b c h' w'], in the format of autocast where that is on."""
        if torch.is_autocast_enabled("cpu"):
            images = images.to(torch.get_autocast_dtype("cpu"))
        padding = self.padding
        if self.pads_same:
            images = pad_same(images, self.kernel_size, self.stride, self.dilation)
            padding = (0, 0)
        result: Tensor = _Depthwise.apply(images, self.weight, self.stride, padding)
        return result

    pads_same = False


class QuickDepthwiseSame(QuickDepthwise):
    """Padded by as much as the stride needs, and not equally on both sides."""

    pads_same = True


def quicken(module: nn.Module) -> None:
    """Let every plain depthwise convolution in ``module`` learn quickly; names and values stay."""
    for part in module.modules():
        if (
            isinstance(part, nn.Conv2d)
            and type(part) in (nn.Conv2d, Conv2dSame)
            and part.groups == part.in_channels == part.out_channels > 1
            and part.dilation == (1, 1)
            and part.bias is None
            and part.padding_mode == "zeros"
        ):
            part.__class__ = QuickDepthwiseSame if type(part) is Conv2dSame else QuickDepthwise
