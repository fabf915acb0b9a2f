"""What a microscope, a stain and a camera vary, varied at random: geometry, colour, focus."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

from coin_retrieval.training.pictures.staining import StainSettings, stain_anew

_GENTLE = 0.05


class AugmentSettings(BaseModel):
    """Ranges of the random changes; all are symmetric about no change.

    Crops are shares of the picture's area, and ``wander`` how far off the middle they may lie, as a
    share of the room that they leave. ``defocus_px`` is the largest standard deviation of a blur,
    ``noise`` the largest one of a camera's, on the scale of [-1, 1].
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    smallest_crop: float = 0.6
    largest_crop: float = 1.05
    wander: float = Field(default=1.0, ge=0, le=1)
    stretch: float = 0.2
    turn_degrees: float = 20.0
    gain: float = 0.15
    mixing: float = 0.08
    offset: float = 0.1
    blur_share: float = 0.3
    defocus_share: float = Field(default=0.0, ge=0, le=1)
    defocus_px: float = Field(default=2.0, gt=0)
    noise: float = Field(default=0.0, ge=0)
    jpeg_share: float = Field(default=0.0, ge=0, le=1)
    stain: StainSettings = StainSettings()

    def close_up(self, smallest_crop: float) -> AugmentSettings:
        """For pictures with one small cell in the middle: as near as other laboratories crop."""
        return self.model_copy(update={"smallest_crop": smallest_crop, "wander": self.wander / 3})

    def calm(self) -> AugmentSettings:
        """Nearly as they are: what an archive of the same laboratory holds."""
        return self.model_copy(
            update={
                "smallest_crop": max(self.smallest_crop, 0.75),
                "largest_crop": min(self.largest_crop, 1.05),
                "stretch": min(self.stretch, 0.1),
                "gain": min(self.gain, 0.1),
                "mixing": min(self.mixing, 0.04),
                "offset": min(self.offset, 0.05),
                "blur_share": 0.0,
                "defocus_share": 0.0,
                "noise": 0.0,
                "jpeg_share": 0.0,
                "stain": StainSettings(),
            }
        )

    def gentle(self) -> AugmentSettings:
        """For findings that are a size or a paleness: neither changes by more than 5 %."""
        return self.model_copy(
            update={
                "smallest_crop": (1 - _GENTLE) ** 2,
                "largest_crop": (1 + _GENTLE) ** 2,
                "stretch": min(self.stretch, 2 * _GENTLE),
                "gain": min(self.gain, _GENTLE),
                "offset": min(self.offset, _GENTLE),
                "mixing": min(self.mixing, _GENTLE),
                "stain": self.stain.gentle(_GENTLE),
            }
        )


def augment(
    images: Tensor,
    side_px: int,
    manners: Sequence[AugmentSettings],
    random: np.random.Generator,
    *,
    which: np.ndarray | None = None,
) -> Tensor:
    """A random view of each picture, [b 3 h w] in [-1, 1] to [b 3 side side], channels last.

    ``which`` is int [b]: the manner in which each picture is varied; by default the first.
    """
    if which is None:
        which = np.zeros(len(images), int)
    seen = images.new_empty((len(images), 3, side_px, side_px))
    for number, ranges in enumerate(manners):
        chosen = torch.from_numpy(np.flatnonzero(which == number))
        if len(chosen):
            # colours need more than bfloat16's 8 bits
            with torch.no_grad(), torch.autocast("cpu", enabled=False):
                seen[chosen] = _vary(images[chosen], side_px, ranges, random)
    return seen.contiguous(memory_format=torch.channels_last)


def _vary(
    images: Tensor, side_px: int, settings: AugmentSettings, random: np.random.Generator
) -> Tensor:
    grid = F.affine_grid(
        _views(len(images), settings, random),
        [len(images), 3, side_px, side_px],
        align_corners=False,
    )
    seen = F.grid_sample(images, grid, padding_mode="reflection", align_corners=False)
    seen = stain_anew(seen, settings.stain, random)
    seen = _mix_channels(seen, settings, random)
    soft = torch.from_numpy(random.random(len(images)) < settings.blur_share)
    if soft.any():
        seen[soft] = F.avg_pool2d(seen[soft], 3, 1, 1, count_include_pad=False)
    return _photograph(seen, settings, random)


def _views(count: int, settings: AugmentSettings, random: np.random.Generator) -> Tensor:
    """Affine maps [b 2 3]: one of eight orientations, a small turn, a crop and a stretch."""
    turn = np.deg2rad(random.uniform(-settings.turn_degrees, settings.turn_degrees, count))
    angle = turn + random.integers(4, size=count) * (np.pi / 2)
    # every magnification as often as every other
    nearest, farthest = np.log(settings.smallest_crop) / 2, np.log(settings.largest_crop) / 2
    scale = np.exp(random.uniform(nearest, farthest, count))
    ratio = np.exp(random.uniform(-settings.stretch, settings.stretch, count) / 2)
    mirror = random.choice([-1.0, 1.0], count)
    along, across = scale * ratio, scale / ratio
    maps = np.zeros((count, 2, 3), np.float32)
    maps[:, 0, 0], maps[:, 0, 1] = mirror * along * np.cos(angle), -across * np.sin(angle)
    maps[:, 1, 0], maps[:, 1, 1] = mirror * along * np.sin(angle), across * np.cos(angle)
    room = settings.wander * np.maximum(0.0, 1.0 - scale)[:, None]
    maps[:, :, 2] = random.uniform(-1, 1, (count, 2)) * room
    return torch.from_numpy(maps)


def _mix_channels(images: Tensor, settings: AugmentSettings, random: np.random.Generator) -> Tensor:
    """Each picture's colours through a random matrix near the identity, plus an offset."""
    count = len(images)
    matrix = np.eye(3) + random.normal(0, settings.mixing, (count, 3, 3))
    matrix *= np.exp(random.normal(0, settings.gain, (count, 1, 1)))
    offset = random.normal(0, settings.offset, (count, 3, 1, 1))
    mixed = torch.einsum("bij,bjhw->bihw", torch.from_numpy(matrix).float(), images)
    return (mixed + torch.from_numpy(offset).float()).clamp_(-1, 1)


def _photograph(images: Tensor, settings: AugmentSettings, random: np.random.Generator) -> Tensor:
    """Out of focus, with a sensor's noise, stored as JPEG: each at times."""
    blurred = np.flatnonzero(random.random(len(images)) < settings.defocus_share)
    if len(blurred):
        width = random.uniform(0.3, 1, len(blurred)) * settings.defocus_px
        images[blurred] = defocus(images[blurred], width)
    if settings.noise:
        level = torch.from_numpy(random.uniform(0, settings.noise, (len(images), 1, 1, 1))).float()
        images = (images + level * torch.randn_like(images)).clamp_(-1, 1)
    for place in np.flatnonzero(random.random(len(images)) < settings.jpeg_share):
        images[place] = _stored(images[place], quality=int(random.integers(35, 95)))
    return images


def _stored(image: Tensor, *, quality: int) -> Tensor:
    """A picture [3 h w] as a JPEG gives it back."""
    pixels = image.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
    file = BytesIO()
    Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality)
    read = torch.from_numpy(np.array(Image.open(file)))
    return read.permute(2, 0, 1).float().div_(127.5).sub_(1)


def defocus(images: Tensor, sigma_px: np.ndarray) -> Tensor:
    """Each picture [b c h w] through a Gaussian of its own width [b]."""
    reach = max(1, int(np.ceil(2.5 * float(sigma_px.max()))))
    places = torch.arange(-reach, reach + 1).float()
    sigma = torch.from_numpy(np.maximum(sigma_px, 1e-3)).float()
    kernels = (-0.5 * (places / sigma[:, None]).square()).exp()
    kernels = (kernels / kernels.sum(1, keepdim=True)).repeat_interleave(images.shape[1], 0)
    count = len(kernels)
    flat = images.reshape(1, count, *images.shape[2:])
    flat = F.pad(flat, (reach, reach, reach, reach), mode="reflect")
    flat = F.conv2d(flat, kernels[:, None, None, :], groups=count)
    flat = F.conv2d(flat, kernels[:, None, :, None], groups=count)
    return flat.reshape(images.shape)
