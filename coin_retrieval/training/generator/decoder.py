"""Teach a trained autoencoder's decoder to draw grain, against a critic of small patches.

What an encoder cannot keep of a granule, L1 answers with the mean: a smooth cytoplasm. A critic
that sees only patches asks for believable grain instead (Isola et al. 2017, arXiv 1611.07004,
section 2.2.2; Esser et al. 2021, arXiv 2012.09841). The encoder stays as it is, so latents that a
diffusion model was trained on stay valid.

With a frozen SqueezeNet (``perception.py``) the pictures are also compared in its features, and a
second critic reads them; with further frozen networks, in theirs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.func import functional_call

from coin_retrieval.training.generator.perception import (
    FeatureCritic,
    SqueezeFeatures,
    TrunkFeatures,
    perceptual_distance,
    texture_distance,
)
from coin_retrieval.training.loop import LoopSettings, Task, device
from coin_retrieval.training.pictures.data import PackedCases
from coin_retrieval.training.pictures.sampling import balanced_weights
from coin_retrieval.training.pictures.sheets import grid, to_uint8
from coin_retrieval.types import RgbImage


class DecoderRecipe(BaseModel):
    """The decoder's and its critic's training; one YAML file.

    ``imagenet_weight`` and ``encoder_weight`` compare pictures as EfficientNet-Lite0 sees them by
    its ImageNet weights, and by those of an encoder of ours.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loop: LoopSettings
    side_px: int = 128
    crop_px: int = 64
    batch: int = 32
    balance: float = Field(default=0.5, ge=0, le=1)
    latent_noise: float = Field(default=0.1, ge=0)
    critic_channels: int = 32
    critic_weight: float = Field(default=0.02, ge=0)
    matching_weight: float = Field(default=0.1, ge=0)
    perceptual_weight: float = Field(default=0.0, ge=0)
    projected_weight: float = Field(default=0.0, ge=0)
    imagenet_weight: float = Field(default=0.0, ge=0)
    encoder_weight: float = Field(default=0.0, ge=0)
    texture_weight: float = Field(default=0.0, ge=0)


class PatchCritic(nn.Module):
    """Scores overlapping patches of 22 × 22 px; gives its hidden features too."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                nn.Conv2d(3, channels, 4, 2, 1),
                nn.Conv2d(channels, 2 * channels, 4, 2, 1),
                nn.Conv2d(2 * channels, 4 * channels, 3, 1, 1),
            ]
        )
        self.score = nn.Conv2d(4 * channels, 1, 1)

    def forward(self, images: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Scores [b 1 h/4 w/4] and the features of each layer."""
        features = []
        for layer in self.layers:
            images = F.leaky_relu(layer(images), 0.2)
            features.append(images)
        return self.score(images), features


class DecoderTask(Task):
    """Hinge loss against the critic, its features matched, and L1 so that nothing moves."""

    def __init__(
        self,
        cases: PackedCases,
        autoencoder: AutoencoderTiny,
        recipe: DecoderRecipe,
        *,
        perception: SqueezeFeatures | None = None,
        eyes: Sequence[tuple[TrunkFeatures, float]] = (),
    ) -> None:
        """``eyes`` are networks that see both pictures, and what their differences weigh."""
        self._cases, self._recipe = cases, recipe
        self._encoder = autoencoder.encoder.requires_grad_(False).to(device())
        self._weights = balanced_weights(cases.rows, power=recipe.balance)
        self._perception = perception.to(device()) if perception is not None else None
        self._eyes = [(network.to(device()), weight) for network, weight in eyes]
        parts = {"decoder": autoencoder.decoder, "critic": PatchCritic(recipe.critic_channels)}
        if perception is not None:
            parts["judge"] = FeatureCritic(perception.channels)
        self.module: nn.Module = nn.ModuleDict(parts)

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """The decoder's and the critic's losses in one sum; neither reaches the other's weights."""
        recipe = self._recipe
        decoder, critic = self.module["decoder"], self.module["critic"]  # type: ignore[index]
        rows = random.choice(len(self._weights), size=recipe.batch, p=self._weights)
        top, left = random.integers(0, (recipe.side_px - recipe.crop_px) // 8 + 1, size=2) * 8
        window = (..., slice(top, top + recipe.crop_px), slice(left, left + recipe.crop_px))
        real = self._cases.batch(rows)[window].to(device(), memory_format=torch.channels_last)
        with torch.no_grad():
            latents = self._encoder(real)
            latents = latents + recipe.latent_noise * torch.randn_like(latents)
        drawn = decoder(latents)
        judged_real, features_real = critic(real)
        judged_drawn, _ = critic(drawn.detach())
        critic_loss = hinge(judged_real, judged_drawn)
        judged, features = functional_call(critic, fixed(critic), (drawn,))
        matching = torch.stack(
            [F.l1_loss(a, b.detach()) for a, b in zip(features, features_real, strict=True)]
        ).mean()
        pixels = F.l1_loss(drawn, real)
        total = pixels + recipe.critic_weight * -judged.mean() + recipe.matching_weight * matching
        figures = {"l1": pixels.item(), "critic": critic_loss.item(), "match": matching.item()}
        textures: list[Tensor] = []
        for network, weight in self._eyes:
            with torch.no_grad():
                seen_real = network(real)
            seen = network(drawn)
            total = total + weight * perceptual_distance(seen, seen_real)
            textures.append(texture_distance(seen, seen_real))
        if self._perception is not None:
            liking, judge_loss, alike, texture = self._perceived(real, drawn)
            textures.append(texture)
            total = total + recipe.perceptual_weight * alike - recipe.projected_weight * liking
            total = total + judge_loss
            figures |= {"alike": alike.item(), "judge": judge_loss.item()}
        if textures:
            texture = torch.stack(textures).sum()
            total = total + recipe.texture_weight * texture
            figures["texture"] = texture.item()
        return total + critic_loss, figures

    def _perceived(self, real: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """How much the judge likes the drawn ones, its own loss, and how far apart they look."""
        judge = self.module["judge"]  # type: ignore[index]
        assert self._perception is not None  # noqa: S101  the caller looked
        with torch.no_grad():
            seen_real = self._perception(real)
        seen = self._perception(drawn)
        scores_real, scores = judge(seen_real), judge([part.detach() for part in seen])
        own = torch.stack([hinge(a, b) for a, b in zip(scores_real, scores, strict=True)]).mean()
        liked = functional_call(judge, fixed(judge), (seen,))
        liking = torch.stack([score.mean() for score in liked]).mean()
        distance, texture = perceptual_distance(seen, seen_real), texture_distance(seen, seen_real)
        return liking, own, distance, texture

    def sheet(self, averaged: nn.Module) -> RgbImage:
        """Pictures above, as they are redrawn below."""
        rows = np.linspace(0, len(self._weights) - 1, 12).astype(int)
        real = self._cases.batch(rows).to(device())
        drawn = averaged["decoder"](self._encoder(real))  # type: ignore[index]
        return grid(to_uint8(torch.cat([real, drawn])), columns=len(real))


def hinge(real: Tensor, drawn: Tensor) -> Tensor:
    """A critic's loss: real pictures above 1, drawn ones below -1 (arXiv 1705.02894)."""
    return F.relu(1 - real).mean() + F.relu(1 + drawn).mean()


def fixed(module: nn.Module) -> dict[str, Tensor]:
    """Its weights as constants, to be judged by it without teaching it."""
    return {name: value.detach() for name, value in module.named_parameters()}
