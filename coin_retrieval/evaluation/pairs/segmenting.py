"""A small U-Net that finds nuclei, trained on pairs and tested on others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from torch import Tensor

from coin_retrieval.metrics.instances import NUCLEUS, aggregated_jaccard, decode, dice
from coin_retrieval.nets.compute import pick_device
from coin_retrieval.progress import Progress, counted, silent
from coin_retrieval.prototypes.tiles import Square

_BATCH, _RATE = 8, 1e-3
_DEPTH, _WIDTHS = 3, (64, 32, 16)


def train_segmenter(
    squares: Sequence[Square], *, steps: int, seed: int, on: Progress = silent
) -> Any:
    """A U-Net (Ronneberger et al. 2015, arXiv 1505.04597) of nuclei and of their distance maps.

    The encoder is a ResNet-18 of three stages without weights of its own: what it knows comes from
    these squares alone, turned and mirrored, a little darker or paler.
    """
    torch.manual_seed(seed)
    network = smp.Unet(
        "resnet18",
        encoder_weights=None,
        encoder_depth=_DEPTH,
        decoder_channels=_WIDTHS,
        classes=2,
    ).to(pick_device())
    overlap = smp.losses.DiceLoss("binary")
    optimizer = torch.optim.AdamW(network.parameters(), _RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    random = np.random.default_rng(seed)
    network.train()
    for _ in counted(range(steps), "training", on):
        chosen = [squares[int(i)] for i in random.integers(len(squares), size=_BATCH)]
        images, masks, distances = _batch(chosen, random)
        given = network(images)
        loss = overlap(given[:, :1], masks) + F.l1_loss(given[:, 1:].sigmoid(), distances)
        loss = loss + F.binary_cross_entropy_with_logits(given[:, :1], masks)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


@torch.inference_mode()
def score_segmenter(
    network: Any, squares: Sequence[Square], *, single_cell: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Dice and AJI of every square, float64 [n] each; ``single_cell`` as of :func:`.decode`."""
    scores = []
    for square in squares:
        (given,) = network(_images([square]))
        found = (given[0] > 0).cpu().numpy()
        distances = given[1].sigmoid().cpu().numpy()
        instances = decode(found.astype(np.uint8), distances, single_cell=single_cell)
        true = square.labels == NUCLEUS
        scores.append((dice(found, true), aggregated_jaccard(instances, square.instances)))
    overlaps, aggregated = np.array(scores, np.float64).T
    return overlaps, aggregated


def _batch(squares: Sequence[Square], random: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    images = _images(squares)
    images = images * float(random.uniform(0.9, 1.1)) + float(random.uniform(-0.1, 0.1))
    masks = np.stack([square.labels == NUCLEUS for square in squares])
    parts = [
        images,
        torch.from_numpy(masks).float().unsqueeze(1).to(images.device),
        torch.from_numpy(np.stack([s.distances for s in squares])).unsqueeze(1).to(images.device),
    ]
    turns, flipped = int(random.integers(4)), bool(random.integers(2))
    turned = [torch.rot90(part, turns, (-2, -1)) for part in parts]
    first, second, third = (part.flip(-1) if flipped else part for part in turned)
    return first, second, third


def _images(squares: Sequence[Square]) -> Tensor:
    held = torch.from_numpy(np.stack([square.image for square in squares]))
    return held.permute(0, 3, 1, 2).float().div(127.5).sub(1).to(pick_device())
