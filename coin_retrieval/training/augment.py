"""What a microscope, a stain and a camera vary, varied at random: geometry, colour, focus."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict
from torch import Tensor


class AugmentSettings(BaseModel):
    """Ranges of the random changes; all are symmetric about no change."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    smallest_crop: float = 0.6
    stretch: float = 0.2
    turn_degrees: float = 20.0
    gain: float = 0.15
    mixing: float = 0.08
    offset: float = 0.1
    blur_share: float = 0.3


def augment(
    images: Tensor, side_px: int, settings: AugmentSettings, random: np.random.Generator
) -> Tensor:
    """A random view of each picture, [b 3 h w] in [-1, 1] to [b 3 side side], channels last."""
    grid = F.affine_grid(
        _views(len(images), settings, random),
        [len(images), 3, side_px, side_px],
        align_corners=False,
    )
    seen = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    seen = _stain(seen, settings, random)
    soft = torch.from_numpy(random.random(len(images)) < settings.blur_share)
    if soft.any():
        seen[soft] = F.avg_pool2d(seen[soft], 3, 1, 1, count_include_pad=False)
    return seen.contiguous(memory_format=torch.channels_last)


def _views(count: int, settings: AugmentSettings, random: np.random.Generator) -> Tensor:
    """Affine maps [b 2 3]: one of eight orientations, a small turn, a crop and a stretch."""
    turn = np.deg2rad(random.uniform(-settings.turn_degrees, settings.turn_degrees, count))
    angle = turn + random.integers(4, size=count) * (np.pi / 2)
    scale = np.sqrt(random.uniform(settings.smallest_crop, 1.05, count))
    ratio = np.exp(random.uniform(-settings.stretch, settings.stretch, count) / 2)
    mirror = random.choice([-1.0, 1.0], count)
    along, across = scale * ratio, scale / ratio
    maps = np.zeros((count, 2, 3), np.float32)
    maps[:, 0, 0], maps[:, 0, 1] = mirror * along * np.cos(angle), -across * np.sin(angle)
    maps[:, 1, 0], maps[:, 1, 1] = mirror * along * np.sin(angle), across * np.cos(angle)
    room = np.maximum(0.0, 1.0 - scale)[:, None]
    maps[:, :, 2] = random.uniform(-1, 1, (count, 2)) * room
    return torch.from_numpy(maps)


def _stain(images: Tensor, settings: AugmentSettings, random: np.random.Generator) -> Tensor:
    """Each picture's colours through a random matrix near the identity, plus an offset."""
    count = len(images)
    matrix = np.eye(3) + random.normal(0, settings.mixing, (count, 3, 3))
    matrix *= np.exp(random.normal(0, settings.gain, (count, 1, 1)))
    offset = random.normal(0, settings.offset, (count, 3, 1, 1))
    mixed = torch.einsum("bij,bjhw->bihw", torch.from_numpy(matrix).float(), images)
    return (mixed + torch.from_numpy(offset).float()).clamp_(-1, 1)
