"""Pictures to network input: the library's own transform, run a batch at a time on all cores.

Resizing stays with Pillow on single pictures, as the model was trained and as its authors ran it;
scaling and normalising, which are the same for every pixel, are done on the whole batch.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from coin_retrieval.errors import ModelError
from coin_retrieval.types import RgbImage

_MAX_THREADS = 8


class BatchPreprocessing:
    """A torchvision evaluation transform, split into its geometry and its arithmetic.

    Gives what the transform gives picture by picture, bit for bit.
    """

    def __init__(self, transform: Any) -> None:
        """Split a ``Compose``.

        Raises:
            ModelError: a transform that does not end with to-tensor and normalise.
        """
        steps = list(transform.transforms)
        names = [type(step).__name__ for step in steps]
        if len(steps) < 2 or names[-1] != "Normalize" or not names[-2].endswith("ToTensor"):
            raise ModelError(
                "preprocessing of an unknown kind",
                value=names,
                expected="resizing and cropping, then ToTensor, then Normalize",
                remedy="choose a model with ordinary evaluation preprocessing",
            )
        self._geometry: list[Callable[[Image.Image], Image.Image]] = steps[:-2]
        self._mean = torch.as_tensor(steps[-1].mean, dtype=torch.float32)
        self._std = torch.as_tensor(steps[-1].std, dtype=torch.float32)
        self._threads = ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1))

    def __call__(self, images: Sequence[RgbImage]) -> Tensor:
        """Pictures uint8 [h w 3] of any size to float32 [n 3 h w], channels last in memory."""
        pixels = np.stack(list(self._threads.map(self._shape, images)))
        n, height, width, colours = pixels.shape
        # by whole lines of pixels: three colours at a time take three times as long
        lines = torch.from_numpy(pixels).view(n * height, width * colours).to(torch.float32)
        lines.div_(255).sub_(self._mean.repeat(width)).div_(self._std.repeat(width))
        return lines.view(n, height, width, colours).permute(0, 3, 1, 2)

    def _shape(self, image: RgbImage) -> RgbImage:
        shaped = Image.fromarray(image)
        for step in self._geometry:
            shaped = step(shaped)
        return np.asarray(shaped, np.uint8)
