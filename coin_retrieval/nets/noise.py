"""Noise that a picture begins as, each channel shifted as a whole.

White noise has next to no mean: over 16 × 16 places of a latent channel 1/16 of its deviation, and
a network that begins there draws pictures that are all about as bright, as large and of one stain.
Shifted a little, they differ in that as real ones do (offset noise: Guttenberg 2023,
crosslabs.org/blog/diffusion-with-offset-noise, who trains with it what here is drawn with it too).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def offset_noise(
    shape: Sequence[int], offset: float, *, generator: torch.Generator | None = None
) -> Tensor:
    """Normal noise float32 [b c h w], plus ``offset`` times that of each channel; 0 is white."""
    noise = torch.randn(tuple(shape), generator=generator)
    if offset == 0:
        return noise
    return noise + offset * torch.randn((*shape[:2], 1, 1), generator=generator)
