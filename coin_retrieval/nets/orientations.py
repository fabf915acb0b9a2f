"""The square's symmetries: a cell has no right way up."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def dihedral(images: Tensor, which: int) -> Tensor:
    """One of the square's eight symmetries of [b c h w]: four turns, then each mirrored."""
    turned = torch.rot90(images, which % 4, (-2, -1))
    return turned.flip(-1) if which >= 4 else turned


def over_orientations(embed: Callable[[Tensor], Tensor], images: Tensor, count: int) -> Tensor:
    """The mean of a network's features [b d], float32, over the first ``count`` symmetries."""
    return torch.stack([embed(dihedral(images, i)).float() for i in range(count)]).mean(0)
