"""Train the generator's autoencoder: pictures to 8×-downsampled latents and back.

Latents are pulled to unit scale and blurred with noise in training, so the decoder forgives the
small errors that a diffusion model makes (the part that a KL term plays in Rombach et al. 2022,
arXiv 2112.10752, section 3.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from pydantic import BaseModel, ConfigDict, Field
from rich.progress import track
from torch import Tensor, nn

from coin_retrieval.nets.compute import mixed_precision
from coin_retrieval.nets.orientations import dihedral
from coin_retrieval.training.generator.perception import SqueezeFeatures, perceptual_distance
from coin_retrieval.training.loop import LoopSettings, Task, device
from coin_retrieval.training.pictures.data import PackedCases
from coin_retrieval.training.pictures.sampling import balanced_weights
from coin_retrieval.training.pictures.sheets import grid, to_uint8
from coin_retrieval.training.warm_start import take_over
from coin_retrieval.types import RgbImage


class AutoencoderRecipe(BaseModel):
    """The autoencoder's shape and training; one YAML file.

    ``perceptual_weight`` compares in a frozen SqueezeNet's features too, ``turned_share`` is how
    often latents are turned before they are decoded: what is alike up to a turn has then latents
    alike up to a turn, which a diffusion model learns sooner (EQ-VAE, Kouzelis et al. 2025,
    arXiv 2502.09509). ``upsample`` bilinear leaves no mesh.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    loop: LoopSettings
    side_px: int = 128
    crop_px: int = 64
    batch: int = 32
    channels: int = 32
    latent_channels: int = 8
    encoder_blocks: tuple[int, int, int, int] = (0, 1, 2, 2)
    decoder_blocks: tuple[int, int, int, int] = (3, 2, 1, 0)
    latent_noise: float = Field(default=0.05, ge=0)
    latent_penalty: float = Field(default=1e-3, ge=0)
    edge_weight: float = Field(default=1.0, ge=0)
    texture_weight: float = Field(default=0.0, ge=0)
    perceptual_weight: float = Field(default=0.0, ge=0)
    turned_share: float = Field(default=0.0, ge=0, le=1)
    upsample: Literal["nearest", "bilinear"] = "nearest"
    balance: float = Field(default=1.0, ge=0, le=1)
    start_from: Path | None = None


class AutoencoderTask(Task):
    """L1 on pixels, on their differences and on local texture, over random turned crops.

    L1 alone answers unpredictable granules with their mean, a smooth cytoplasm; a doctor tells an
    eosinophil from a neutrophil by them, so how strong the grain is counts as well as where it is.
    """

    def __init__(
        self,
        cases: PackedCases,
        held_out: PackedCases,
        recipe: AutoencoderRecipe,
        *,
        perception: SqueezeFeatures | None = None,
    ) -> None:
        self._cases, self._held_out, self._recipe = cases, held_out, recipe
        self._weights = balanced_weights(cases.rows, power=recipe.balance)
        self._perception = perception.to(device()) if perception is not None else None
        self.module: nn.Module = AutoencoderTiny(
            encoder_block_out_channels=(recipe.channels,) * 4,
            decoder_block_out_channels=(recipe.channels,) * 4,
            num_encoder_blocks=recipe.encoder_blocks,
            num_decoder_blocks=recipe.decoder_blocks,
            latent_channels=recipe.latent_channels,
            upsample_fn=recipe.upsample,
        )
        if recipe.start_from is not None:
            take_over(self.module, recipe.start_from)

    def loss(self, random: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        """The loss of one batch; see :class:`.Task`."""
        recipe = self._recipe
        indices = random.choice(len(self._weights), size=recipe.batch, p=self._weights)
        whole = dihedral(self._cases.batch(indices), int(random.integers(8)))
        top, left = random.integers(0, recipe.side_px - recipe.crop_px + 1, size=2)
        crop = whole[..., top : top + recipe.crop_px, left : left + recipe.crop_px]
        real = crop.to(device(), memory_format=torch.channels_last)
        latents = self.module.encode(real).latents  # type: ignore[operator]
        noisy = latents + recipe.latent_noise * torch.randn_like(latents)
        if random.random() < recipe.turned_share:
            turn = int(random.integers(1, 8))
            noisy, real = dihedral(noisy, turn), dihedral(real, turn)
        drawn = self.module.decode(noisy).sample  # type: ignore[operator]
        pixels = F.l1_loss(drawn, real)
        edges = sum((F.l1_loss(drawn.diff(dim=d), real.diff(dim=d)) for d in (-1, -2)), pixels * 0)
        size = latents.float().square().mean()
        grain = F.l1_loss(texture(drawn), texture(real))
        total = pixels + recipe.edge_weight * edges + recipe.texture_weight * grain
        figures = {"l1": pixels.item(), "grain": grain.item(), "rms": size.item() ** 0.5}
        if self._perception is not None and recipe.perceptual_weight:
            alike = perceptual_distance(self._perception(drawn), self._perception(real))
            total = total + recipe.perceptual_weight * alike
            figures["alike"] = alike.item()
        return total + recipe.latent_penalty * size, figures

    def sheet(self, averaged: nn.Module) -> RgbImage:
        """Held-out pictures above, their reconstructions below."""
        count = len(self._held_out.rows)
        real = self._held_out.batch(np.arange(0, count, max(1, count // 16))[:16]).to(device())
        drawn = averaged(real).sample
        return grid(to_uint8(torch.cat([real, drawn])), columns=len(real))


def texture(images: Tensor, *, window_px: int = 5) -> Tensor:
    """Local strength of the fine grain: RMS of the high-pass part over a window, [b 3 h w]."""
    smooth = F.avg_pool2d(images, 3, 1, 1, count_include_pad=False)
    power = F.avg_pool2d((images - smooth).square(), window_px, 1, window_px // 2)
    return (power + 1e-6).sqrt()


@torch.inference_mode()
def reconstruction_psnr(autoencoder: nn.Module, cases: PackedCases, *, batch: int = 64) -> float:
    """Mean peak signal-to-noise ratio in dB over all pictures (peak 2.0, the range [-1, 1])."""
    errors = []
    for start in range(0, len(cases.rows), batch):
        real = cases.batch(np.arange(start, min(start + batch, len(cases.rows)))).to(device())
        drawn = autoencoder(real).sample.clamp(-1, 1)
        errors.append((drawn - real).square().mean(dim=(1, 2, 3)).cpu())
    return float((10 * torch.log10(4.0 / torch.cat(errors))).mean())


@torch.no_grad()
def standardise_latents(autoencoder: AutoencoderTiny, cases: PackedCases, *, count: int) -> None:
    """Fold each latent channel's mean and deviation into the layers on both sides of the latent.

    Afterwards the channels have mean 0 and deviation 1, as a diffusion model wants them, and the
    pipeline needs no other scale. The decoder's soft clamp between the layers is not linear, so
    its pictures change a little; the decoder's own training mends that.
    """
    rows = np.linspace(0, len(cases.rows) - 1, min(count, len(cases.rows))).astype(int)
    latents = torch.cat(
        [
            autoencoder.encode(cases.batch(part).to(device())).latents
            for part in np.array_split(rows, max(1, len(rows) // 64))
        ]
    ).float()
    mean, deviation = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3))
    last, first = autoencoder.encoder.layers[-1], autoencoder.decoder.layers[0]
    last.bias.sub_(mean).div_(deviation)
    last.weight.div_(deviation[:, None, None, None])
    first.bias.add_(torch.einsum("oihw,i->o", first.weight, mean))
    first.weight.mul_(deviation[None, :, None, None])


@torch.inference_mode()
def encode_all(
    autoencoder: nn.Module,
    cases: PackedCases,
    *,
    orientations: Sequence[int],
    batch: int = 64,
) -> Tensor:
    """Latents of every picture in these orientations, float16 [orientations n c h w]."""
    starts = range(0, len(cases.rows), batch)
    target = device()

    def encode(which: int, start: int) -> Tensor:
        turned = dihedral(cases.batch(np.arange(start, min(start + batch, len(cases.rows)))), which)
        with mixed_precision(target):
            real = turned.to(target, memory_format=torch.channels_last)
            latents: Tensor = autoencoder.encode(real).latents  # type: ignore[operator]
        return latents.half().cpu().contiguous()

    return torch.stack(
        [
            torch.cat([encode(which, start) for start in track(starts, "encoding pictures")])
            for which in orientations
        ]
    )
