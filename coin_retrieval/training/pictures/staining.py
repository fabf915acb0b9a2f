"""Another stain, lamp and camera, at random: what differs between laboratories and is no finding.

Stains absorb, so most of it happens in optical density (Ruifrok and Johnston 2001): there a lamp
adds, a stain's strength multiplies, and another pair of dyes is a linear map. Pictures also take
over each other's colours (the linear Monge-Kantorovich map between their densities, Pitié and
Kokaram 2007, doi 10.1049/cp:20070055; Reinhard's transfer with correlated channels).
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor

_DARKEST = 1 / 64
_STEADY = 1e-3


class StainSettings(BaseModel):
    """Ranges of the random changes; 0 leaves a thing as it is.

    Attributes:
        share: of the pictures that are stained anew at all.
        hue_degrees: standard deviation of a turn about the grey axis of optical density.
        saturation: of the logarithm of the distance from that axis.
        density: of the logarithm of the stain's strength.
        lamp: of what the light adds to each channel's density, natural logarithm.
        gradient: of what it adds from one edge of the field to the other.
        transfer_share: of the pictures that take over a part of another one's colours.
        grey_share: of the pictures without any colour.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    share: float = Field(default=0.0, ge=0, le=1)
    hue_degrees: float = Field(default=0.0, ge=0)
    saturation: float = Field(default=0.0, ge=0)
    density: float = Field(default=0.0, ge=0)
    lamp: float = Field(default=0.0, ge=0)
    gradient: float = Field(default=0.0, ge=0)
    transfer_share: float = Field(default=0.0, ge=0, le=1)
    grey_share: float = Field(default=0.0, ge=0, le=1)

    def gentle(self, most: float) -> StainSettings:
        """The same, but nothing that makes a picture darker or paler by more than ``most``."""
        less = {name: min(getattr(self, name), most) for name in ("density", "lamp", "gradient")}
        return self.model_copy(update={**less, "transfer_share": 0.0})


def stain_anew(images: Tensor, settings: StainSettings, random: np.random.Generator) -> Tensor:
    """Each picture under another stain and lamp, [b 3 h w] in [-1, 1] to the same."""
    chosen = np.flatnonzero(random.random(len(images)) < settings.share)
    if not len(chosen):
        return images
    density = _density(images)
    taken = np.flatnonzero(random.random(len(images)) < settings.transfer_share)
    if len(taken):
        givers = random.integers(len(images), size=len(taken))
        density = density.index_copy(
            0,
            torch.from_numpy(taken),
            take_colours(density[taken], density[givers], random.random(len(taken))),
        )
    stained = images.clone()
    stained[chosen] = _light(_dye(density[chosen], settings, random), settings, random)
    grey = chosen[random.random(len(chosen)) < settings.grey_share]
    if len(grey):
        weights = torch.from_numpy(random.dirichlet((3, 3, 3), len(grey))).float()
        stained[grey] = torch.einsum("bc,bchw->bhw", weights, stained[grey])[:, None]
    return stained


def _density(images: Tensor) -> Tensor:
    return images.add(1).mul_(0.5).clamp_(_DARKEST, 1).log_().neg_()


def _dye(density: Tensor, settings: StainSettings, random: np.random.Generator) -> Tensor:
    """Other dyes: turned about the grey axis, more or less colourful, more or less dense."""
    count = len(density)
    angle = np.deg2rad(random.normal(0, settings.hue_degrees, count))[:, None, None]
    colourful = np.exp(random.normal(0, settings.saturation, (count, 1, 1)))
    dense = np.exp(random.normal(0, settings.density, (count, 1, 1)))
    grey = np.full((3, 3), 1 / 3)
    across = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)  # cross product with grey
    turned = np.cos(angle) * (np.eye(3) - grey) + np.sin(angle) * across
    maps = dense * (grey + colourful * turned)
    return torch.einsum("bij,bjhw->bihw", torch.from_numpy(maps).float(), density)


def _light(density: Tensor, settings: StainSettings, random: np.random.Generator) -> Tensor:
    """Seen by a lamp of some colour, brighter at one edge: [-1, 1]."""
    count, _, height, width = density.shape
    lamp = torch.from_numpy(random.normal(0, settings.lamp, (count, 3, 1, 1))).float()
    slope = torch.from_numpy(random.normal(0, settings.gradient, (count, 2))).float()
    down = slope[:, 0, None, None, None] * torch.linspace(-0.5, 0.5, height)[:, None]
    along = slope[:, 1, None, None, None] * torch.linspace(-0.5, 0.5, width)
    seen = (density + lamp + down + along).clamp_(min=0)
    return seen.neg_().exp_().mul_(2).sub_(1)


def take_colours(density: Tensor, others: Tensor, amount: np.ndarray) -> Tensor:
    """Densities [b 3 h w], an ``amount`` [b] of the way to mean and covariance of ``others``."""
    mean, own = _moments(density)
    mean_wanted, wanted = _moments(others)
    root = _power(own, 0.5)
    inverse = _power(own, -0.5)
    carry = inverse @ _power(root @ wanted @ root, 0.5) @ inverse
    share = torch.from_numpy(amount).float()[:, None, None]
    maps = (1 - share) * torch.eye(3) + share * carry
    centre = (1 - share) * mean[..., None] + share * mean_wanted[..., None]
    shift = centre - maps @ mean[..., None]
    return torch.einsum("bij,bjhw->bihw", maps, density) + shift[..., None]


def _moments(density: Tensor) -> tuple[Tensor, Tensor]:
    """Mean [b 3] and steadied covariance [b 3 3] of each picture's densities."""
    points = F.avg_pool2d(density, 4).flatten(2)
    mean = points.mean(2)
    centred = points - mean[..., None]
    covariance = centred @ centred.transpose(1, 2) / points.shape[2]
    return mean, covariance + _STEADY * torch.eye(3)


def _power(matrices: Tensor, exponent: float) -> Tensor:
    values, vectors = torch.linalg.eigh(matrices)
    scaled = vectors * values.clamp(min=_STEADY / 10)[:, None] ** exponent
    powered: Tensor = scaled @ vectors.transpose(1, 2)
    return powered
