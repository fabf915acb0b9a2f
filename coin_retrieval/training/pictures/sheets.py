"""Sample sheets: tensors to one picture to look at."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from coin_retrieval.types import RgbImage


def to_uint8(images: Tensor) -> np.ndarray:
    """Float [b 3 h w] in [-1, 1] to uint8 [b h w 3]."""
    scaled = images.float().clamp(-1, 1).add(1).mul(127.5).round()
    return scaled.permute(0, 2, 3, 1).to("cpu", torch.uint8).numpy()


def grid(images: np.ndarray, *, columns: int) -> RgbImage:
    """uint8 [b h w 3] as rows of ``columns``, 2 px of white between."""
    padded = np.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), constant_values=255)
    rows = [padded[start : start + columns] for start in range(0, len(padded), columns)]
    blank = np.full_like(padded[0], 255)
    filled = [[*row, *([blank] * (columns - len(row)))] for row in rows]
    return np.concatenate([np.concatenate(row, axis=1) for row in filled], axis=0)
