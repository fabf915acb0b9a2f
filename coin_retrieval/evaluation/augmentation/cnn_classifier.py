"""A small convolutional network trained from scratch: what pictures alone can teach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from coin_retrieval.errors import InputError
from coin_retrieval.evaluation.augmentation.classifiers import TRAINING, Classifier
from coin_retrieval.evaluation.augmentation.training_sets import Pool, Rows, Weights
from coin_retrieval.evaluation.pictures.picture_sets import PictureSet
from coin_retrieval.images import fit_square, load_image
from coin_retrieval.nets.compute import pick_device
from coin_retrieval.progress import Progress, counted, silent

_BATCH = 32
_RATE, _DECAY, _SMOOTHING = 2e-3, 0.02, 0.05
_GAIN, _SHIFT_SHARE = 0.1, 0.08

Pixels = NDArray[np.uint8]
"""uint8 [n 3 side side]."""


@dataclass(frozen=True, slots=True)
class CnnLearner:
    """A timm network from random weights: its name, its steps, and the side of its pictures."""

    network: str = "resnet10t"
    steps: int = 200
    size_px: int = 64

    def prepare(
        self, real: PictureSet, generated: PictureSet, test: PictureSet, pool: Pool, on: Progress
    ) -> Classifier:
        """See :class:`.Learner`.

        Raises:
            InputError: timm has no such network.
            ImageError: a picture that cannot be read.
        """
        seen, drawn, unseen = (self._squares(one, on) for one in (real, generated, test))
        return CnnClassifier(
            np.concatenate([seen, drawn]),
            pool.labels,
            unseen,
            network=self.network,
            steps=self.steps,
        )

    def _squares(self, pictures: PictureSet, on: Progress) -> Pixels:
        squares = np.empty((len(pictures), 3, self.size_px, self.size_px), np.uint8)
        for row, square in zip(counted(pictures.rows, pictures.name, on), squares, strict=True):
            image = fit_square(load_image(row.image_path), self.size_px)
            square[:] = image.transpose(2, 0, 1)
        return squares


class CnnClassifier:
    """A timm network from random weights, for a fixed number of steps whatever the training set.

    The same steps for every set keep the comparison one of pictures, not of training time. Pictures
    are drawn with replacement by their weights, which is less noisy than weighing the losses of a
    batch. Light augmentation: turns by 90°, mirrors, shifts, brightness.

    Args:
        pool, test: uint8 [n 3 side side].
        labels: the label of each row of the pool.

    Raises:
        InputError: timm has no such network.
    """

    repeatable = False

    def __init__(
        self,
        pool: Pixels,
        labels: Sequence[str] | NDArray[np.str_],
        test: Pixels,
        *,
        network: str,
        steps: int,
    ) -> None:
        if not timm.is_model(network):
            raise InputError(
                "timm has no such network",
                value=network,
                expected="the name of a timm model",
                remedy="resnet10t is small",
            )
        self._pool, self._test = torch.from_numpy(pool), torch.from_numpy(test)
        self._classes, targets = np.unique(np.asarray(labels), return_inverse=True)
        self._targets = torch.from_numpy(targets.astype(np.int64))
        self._network, self.steps = network, steps
        self._device = pick_device()
        self.description = (
            f"{network} at {pool.shape[-1]} px, trained from scratch for {steps} steps of {_BATCH}"
        )

    def train_and_name(
        self, rows: Rows, weights: Weights, *, seed: int, on: Progress = silent
    ) -> NDArray[np.str_]:
        """See :class:`.Classifier`; ``seed`` is of the network's weights and of all draws."""
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            model = timm.create_model(
                self._network, pretrained=False, num_classes=len(self._classes)
            )
            model = model.to(self._device, memory_format=torch.channels_last)
            self._train(model, rows, weights, np.random.default_rng(seed), on)
        return self._name(model)

    def _train(
        self,
        model: nn.Module,
        rows: Rows,
        weights: Weights,
        random: np.random.Generator,
        on: Progress,
    ) -> None:
        optimiser = torch.optim.AdamW(model.parameters(), lr=_RATE, weight_decay=_DECAY)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimiser, max_lr=_RATE, total_steps=self.steps, pct_start=0.2
        )
        model.train()
        for _ in counted(range(self.steps), TRAINING, on):
            batch = torch.from_numpy(random.choice(rows, size=_BATCH, p=weights))
            seen = _vary(_scaled(self._pool[batch]), random).to(self._device)
            loss = F.cross_entropy(
                model(seen), self._targets[batch].to(self._device), label_smoothing=_SMOOTHING
            )
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()

    def _name(self, model: nn.Module) -> NDArray[np.str_]:
        model.eval()
        named = []
        with torch.inference_mode():
            for part in torch.split(self._test, 4 * _BATCH):
                named.append(model(_scaled(part).to(self._device)).argmax(dim=1).cpu())
        return np.asarray(self._classes[torch.cat(named).numpy()], np.str_)


def _scaled(pixels: Tensor) -> Tensor:
    """To [-1, 1], channels last."""
    return (pixels.float() / 127.5 - 1).contiguous(memory_format=torch.channels_last)


def _vary(images: Tensor, random: np.random.Generator) -> Tensor:
    """One of eight orientations and a shift for the batch's quarters, a brightness a picture.

    Orientation and shift are drawn for eight pictures at once: whole-tensor operations are cheap.
    """
    varied = []
    for part in torch.split(images, _BATCH // 4):
        turned = torch.rot90(part, int(random.integers(4)), dims=(2, 3))
        if random.random() < 0.5:
            turned = turned.flip(3)
        most = round(_SHIFT_SHARE * images.shape[-1])
        down, right = (int(step) for step in random.integers(-most, most + 1, size=2))
        padded = F.pad(turned, (most, most, most, most), mode="reflect")
        side = images.shape[-1]
        varied.append(
            padded[:, :, most + down : most + down + side, most + right : most + right + side]
        )
    gain = torch.from_numpy(np.exp(random.normal(0, _GAIN, (len(images), 1, 1, 1)))).float()
    light = (torch.cat(varied) + 1) * gain - 1
    return light.clamp_(-1, 1).contiguous(memory_format=torch.channels_last)
