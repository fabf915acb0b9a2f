"""Pictures to network input: the library's own transform, run a batch at a time on all cores.

Pictures are resized as Pillow resizes them, in whole numbers, by torch's kernel where it has one:
in a quarter of the time, no value more than two grey levels away. Columns come before rows, as in
Pillow until 13. Scaling and normalising are one multiplication and one addition for every pixel.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torchvision.transforms import CenterCrop, InterpolationMode, Resize, v2

from coin_retrieval.errors import ModelError
from coin_retrieval.types import RgbImage

_MAX_THREADS = 8
_LEVELS = 255
_WHOLE_NUMBERS = (InterpolationMode.BILINEAR, InterpolationMode.BICUBIC)
_LEAVE_RGB = ("MaybeConvertMode",)
"""Steps that do nothing to a picture of three colours."""


class BatchPreprocessing:
    """A torchvision evaluation transform, split into its geometry and its arithmetic.

    Gives what the transform gives picture by picture, within two grey levels.
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
        self._shape = _geometry(steps[:-2])
        self._height, self._width, _ = self._shape(np.zeros((1, 1, 3), np.uint8)).shape
        mean, std = (
            torch.as_tensor(values, dtype=torch.float32).repeat(self._width)
            for values in (steps[-1].mean, steps[-1].std)
        )
        self._factor, self._offset = 1 / (_LEVELS * std), -mean / std
        self._threads = ThreadPoolExecutor(min(_MAX_THREADS, os.cpu_count() or 1))

    def __call__(self, images: Sequence[RgbImage]) -> Tensor:
        """Pictures uint8 [h w 3] of any size to float32 [n 3 h w], channels last in memory."""
        batch = np.empty((len(images), self._height, self._width, 3), np.float32)
        list(self._threads.map(self._fill, batch, images))
        return torch.from_numpy(batch).permute(0, 3, 1, 2)

    def _fill(self, place: NDArray[np.float32], image: RgbImage) -> None:
        # by whole lines of pixels: three colours at a time take three times as long
        lines = torch.from_numpy(place).view(self._height, -1)
        lines.copy_(self._shape(image).reshape(lines.shape)).mul_(self._factor).add_(self._offset)


def _geometry(steps: Sequence[Any]) -> Callable[[RgbImage], Tensor]:
    """To uint8 [h w 3], always of the same size."""
    known = [step for step in steps if type(step).__name__ not in _LEAVE_RGB]
    if all(type(step) is CenterCrop or _in_whole_numbers(step) for step in known):
        on_tensors = [_on_tensors(step) for step in known]

        def shape(image: RgbImage) -> Tensor:
            shaped = torch.from_numpy(np.require(image, requirements=("C", "W"))).permute(2, 0, 1)
            for step in on_tensors:
                shaped = step(shaped)
            return shaped.permute(1, 2, 0)

        return shape

    def shape_by_pillow(image: RgbImage) -> Tensor:
        shaped = Image.fromarray(image)
        for step in steps:
            shaped = step(shaped)
        return torch.from_numpy(np.array(shaped))

    return shape_by_pillow


def _in_whole_numbers(step: Any) -> bool:
    return type(step) is Resize and step.interpolation in _WHOLE_NUMBERS and step.antialias


def _on_tensors(step: Any) -> Callable[[Tensor], Tensor]:
    # the step itself would go by way of floats
    whole = isinstance(step, Resize)
    resize = v2.Resize(step.size, step.interpolation, step.max_size) if whole else step
    return cast(Callable[[Tensor], Tensor], resize)
