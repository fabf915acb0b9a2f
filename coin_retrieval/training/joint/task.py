"""What the joint model learns: all three noises at once, under layout and prompt.

Min, Oh and Jeong 2024 (arXiv 2407.14434): losses 9 · picture + 3 · label + 1 · distance, prompts
left out one time in ten, layouts never. Differently from them the network predicts what is clean,
and the clean label's cross entropy is added to the divergence (Austin et al. 2021, arXiv
2107.03006): both learn faster, and here few steps are taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from coin_retrieval.encoding.sentences import DIM, SentenceEncoder
from coin_retrieval.generation.joint import as_prompts
from coin_retrieval.nets.joint.multinomial import divergence, drawn, noised, one_hot, posterior
from coin_retrieval.nets.joint.network import JointConfig, JointNet, layout_map
from coin_retrieval.nets.joint.sampling import noise_scheduler, sample
from coin_retrieval.prototypes.tiles import Descriptions, Square, Tile, cut, prompt_of
from coin_retrieval.training.loop import LoopSettings, Task, device
from coin_retrieval.training.pictures.sheets import grid, to_uint8
from coin_retrieval.training.warm_start import take_over
from coin_retrieval.types import RgbImage

_SHOWN, _SHEET_STEPS, _LOOKED_AT = 8, 20, 256


class JointRecipe(BaseModel):
    """The network's shape and its training; one YAML file.

    ``scale`` resizes pictures before squares of the network's side are cut from them.
    ``start_from`` is a safetensors file whose fitting weights are taken over.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loop: LoopSettings
    config: JointConfig
    scale: float = Field(default=1.0, gt=0)
    batch: int = Field(default=8, gt=0)
    start_from: Path | None = None
    prompt_drop: float = Field(default=0.1, ge=0, lt=1)
    weights: tuple[float, float, float] = (9.0, 3.0, 1.0)
    cross_entropy: float = Field(default=0.3, ge=0)


class JointTask(Task):
    """Denoise squares of tiles."""

    def __init__(self, tiles: Sequence[Tile], recipe: JointRecipe) -> None:
        self._tiles, self._recipe = tiles, recipe
        self.module: nn.Module = JointNet(recipe.config)
        if recipe.start_from is not None:
            take_over(self.module, recipe.start_from)
        self._noise = noise_scheduler()
        random = np.random.default_rng(recipe.loop.seed)
        looked_at = [self._square(random) for _ in range(_LOOKED_AT)]
        self.words = Descriptions.of(looked_at)
        self._sentences: dict[str, Tensor] = {"": torch.zeros(DIM)}
        self._encoder = SentenceEncoder()
        self._sheet = looked_at[:_SHOWN]

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch; see :class:`.Task`."""
        recipe, classes = self._recipe, len(self._recipe.config.labels)
        squares = [self._square(random) for _ in range(recipe.batch)]
        prompts = self._prompts(squares, random).to(device())
        pictures, distances, labels, layouts = (
            part.to(device()) for part in to_tensors(squares, recipe.config)
        )
        gaussian = torch.cat([pictures, distances], dim=1)
        times = torch.from_numpy(random.integers(1000, size=len(squares))).to(device())
        noise = torch.randn_like(gaussian)
        noisy = self._noise.add_noise(gaussian, noise, times)
        kept = torch.cat([torch.ones(1), self._noise.alphas_cumprod]).to(device())
        clean = one_hot(labels, classes)
        uniform = torch.rand_like(clean)
        seen = one_hot(drawn(noised(clean, kept[times + 1]), uniform), classes)
        picture, distance, logits = self.module(
            noisy[:, :3], noisy[:, 3:], seen, layouts, times, prompts
        )
        losses = (
            F.mse_loss(picture.float(), pictures),
            self._label_loss(logits.float(), labels, seen, kept[times], kept[times + 1]),
            F.mse_loss(distance.float(), distances),
        )
        total = torch.stack([w * loss for w, loss in zip(recipe.weights, losses, strict=True)])
        names = ("picture", "label", "distance")
        shown = {name: loss.item() for name, loss in zip(names, losses, strict=True)}
        return total.sum() / sum(recipe.weights), shown

    def _label_loss(
        self, logits: Tensor, labels: Tensor, seen: Tensor, kept_before: Tensor, kept: Tensor
    ) -> Tensor:
        clean = one_hot(labels, logits.shape[1])
        true = posterior(seen, clean, kept_before, kept)
        given = posterior(seen, logits.softmax(dim=1), kept_before, kept)
        certain = F.cross_entropy(logits, labels)
        return divergence(true, given).mean() + self._recipe.cross_entropy * certain

    def sheet(self, averaged: nn.Module) -> RgbImage:
        """Pictures and labels of the same layouts, always from the same noises."""
        assert isinstance(averaged, JointNet)  # noqa: S101  what the task trains
        *_, layouts = to_tensors(self._sheet, self._recipe.config)
        prompts = self._prompts(self._sheet, None).to(device())
        found = sample(
            averaged,
            layouts.to(device()),
            prompts,
            list(range(_SHOWN)),
            steps=_SHEET_STEPS,
            guidance=1.0,
        )
        greys = found.labels.float().div(len(self._recipe.config.labels) - 1).mul(2).sub(1)
        both = torch.cat([found.pictures, greys[:, None].repeat(1, 3, 1, 1)])
        return grid(to_uint8(both), columns=_SHOWN)

    def _square(self, random: np.random.Generator) -> Square:
        tile = self._tiles[int(random.integers(len(self._tiles)))]
        return cut(tile, self._recipe.config.side_px, random)

    def _prompts(self, squares: Sequence[Square], random: np.random.Generator | None) -> Tensor:
        """[b 1 dim]; with ``random``, words are left out, and at times all of them."""
        texts = []
        for square in squares:
            words = self.words.of_square(square)
            if random is not None:
                share = random.random()
                words = tuple(word for word in words if random.random() < share)
                words = () if random.random() < self._recipe.prompt_drop else words
            texts.append(prompt_of(words))
        for text in dict.fromkeys(texts):
            if text not in self._sentences:
                self._sentences[text] = as_prompts(self._encoder, [text])[0, 0]
        return torch.stack([self._sentences[text] for text in texts]).unsqueeze(1)


def to_tensors(
    squares: Sequence[Square], config: JointConfig
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pictures and distances in [-1, 1], labels int64, layouts."""
    pictures = torch.from_numpy(np.stack([square.image for square in squares]))
    distances = torch.from_numpy(np.stack([square.distances for square in squares]))
    labels = torch.from_numpy(np.stack([square.labels for square in squares])).long()
    layouts = torch.stack(
        [
            layout_map(
                [
                    (x / config.side_px, y / config.side_px, config.kinds.index(square.kind))
                    for x, y in square.points
                ],
                len(config.kinds),
                config.side_px,
            )
            for square in squares
        ]
    )
    return (
        pictures.permute(0, 3, 1, 2).float().div(127.5).sub(1),
        distances.unsqueeze(1).mul(2).sub(1),
        labels,
        layouts,
    )
