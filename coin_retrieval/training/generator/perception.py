"""How alike do two pictures look? Features of frozen networks, as LPIPS compares them.

Zhang et al. 2018 (arXiv 1801.03924) without the learnt weights of its layers; and a critic that
reads SqueezeNet's features (projected GAN, Sauer et al. 2021, arXiv 2111.01007), for a critic that
has to learn to see first needs far more pictures than a small archive has. The networks are a
training aid: nothing of them goes into the trained model. No picture is judged in the space of an
ImageNet network that taught it; what an archive's encoder sees of a cell may well be taught, for
that is what the picture will be searched by.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import squeezenet1_1

from coin_retrieval.config import OpenClipEncoderSettings
from coin_retrieval.encoding.open_clip.files import find_open_clip
from coin_retrieval.encoding.open_clip.model import load_open_clip
from coin_retrieval.errors import WeightsError
from coin_retrieval.nets.pretrained import read_safetensors, refuse_mismatch
from coin_retrieval.training.encoder.imagenet import start_from_imagenet

_STAGES = (0, 1, 2, 4)
_TAPS = {1: 64, 4: 128, 7: 256, 12: 512}
_MEAN_BGR = (104.0, 117.0, 123.0)


class SqueezeFeatures(nn.Module):
    """Frozen SqueezeNet 1.1 (Iandola et al. 2016, arXiv 1602.07360), weights of the Caffe model.

    Pictures are enlarged by ``zoom`` first: the network was trained on 224 px.

    Raises:
        WeightsError: the file is not this network's.
    """

    def __init__(self, weights: Path, *, zoom: float = 1.75) -> None:
        super().__init__()
        network = squeezenet1_1(weights=None)
        offered = read_safetensors(weights)
        own = network.state_dict()
        refuse_mismatch("SqueezeNet 1.1", missing=set(own) - set(offered))
        network.load_state_dict({name: offered[name] for name in own})
        self.layers = network.features.requires_grad_(False).eval()
        self.zoom = zoom
        self.mean: Tensor
        self.register_buffer("mean", torch.tensor(_MEAN_BGR).view(1, 3, 1, 1))

    @property
    def channels(self) -> list[int]:
        """Channels of each tap."""
        return list(_TAPS.values())

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features at four depths of pictures [b 3 h w] in [-1, 1]."""
        larger = F.interpolate(images, scale_factor=self.zoom, mode="bilinear", antialias=False)
        seen = larger.flip(1).add(1).mul(127.5) - self.mean
        taps = []
        for index, layer in enumerate(self.layers):
            seen = layer(seen)
            if index in _TAPS:
                taps.append(seen)
            if index == max(_TAPS):
                break
        return taps


class TrunkFeatures(nn.Module):
    """A frozen timm EfficientNet at strides 2, 4, 8 and 16, of pictures [b 3 h w] in [-1, 1]."""

    def __init__(self, trunk: nn.Module, *, mean: float = 0.5, std: float = 0.5) -> None:
        super().__init__()
        self.trunk = trunk.requires_grad_(False).eval()
        self.mean, self.std = mean, std

    @classmethod
    def of_imagenet(cls, name: str = "tf_efficientnet_lite0") -> TrunkFeatures:
        """By its published ImageNet weights.

        Raises:
            WeightsError, MissingDependencyError: as :func:`.start_from_imagenet`.
        """
        trunk = timm.create_model(name, num_classes=0)
        start_from_imagenet(trunk, name)
        return cls(trunk, mean=127 / 255, std=128 / 255)

    @classmethod
    def of_encoder(cls, directory: Path) -> TrunkFeatures:
        """What an encoder of ours sees: an open_clip directory of :mod:`.encoder.clip`.

        Raises:
            WeightsError: no such directory, or no EfficientNet in it.
        """
        settings = OpenClipEncoderSettings(model=str(directory), text_tower="minilm")
        model, _ = load_open_clip(
            find_open_clip(settings), dtype="float32", device=torch.device("cpu")
        )
        trunk = getattr(getattr(model, "visual", None), "trunk", None)
        if not isinstance(trunk, nn.Module) or not hasattr(trunk, "conv_stem"):
            raise WeightsError(
                "the encoder's image tower is no EfficientNet",
                value=str(directory),
                expected="an encoder of coin train clip",
            )
        return cls(trunk)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features at four depths."""
        seen = ((images + 1) / 2 - self.mean) / self.std
        trunk: Any = self.trunk
        seen = trunk.bn1(trunk.conv_stem(seen))
        taps = []
        for stage, block in enumerate(trunk.blocks[: max(_STAGES) + 1]):
            seen = block(seen)
            if stage in _STAGES:
                taps.append(seen)
        return taps


def eyes_of(
    *, encoder: Path | None = None, perception: Path | None = None, imagenet: bool = False
) -> list[nn.Module]:
    """Networks to see whole drawings with: an encoder of ours, a SqueezeNet 1.1, Lite0 by ImageNet.

    Raises:
        WeightsError, MissingDependencyError: as of each.
    """
    eyes: list[nn.Module] = []
    if perception is not None:
        # not enlarged, which would be three times the pixels
        eyes.append(SqueezeFeatures(perception, zoom=1.0))
    if imagenet:
        eyes.append(TrunkFeatures.of_imagenet())
    if encoder is not None:
        eyes.append(TrunkFeatures.of_encoder(encoder))
    return eyes


def perceptual_distance(first: list[Tensor], second: list[Tensor]) -> Tensor:
    """Mean squared distance of features of unit length at every place, summed over depths."""
    distances = [
        (F.normalize(a.float(), dim=1) - F.normalize(b.float(), dim=1)).square().sum(1).mean()
        for a, b in zip(first, second, strict=True)
    ]
    return torch.stack(distances).sum()


def texture_distance(first: list[Tensor], second: list[Tensor]) -> Tensor:
    """Squared distance of Gram matrices of unit features, mean of a batch, summed over depths.

    Which features occur together, wherever they lie (Gatys et al. 2015, arXiv 1505.07376): grain
    that is drawn at another place than it lay is right by this, and wrong place by place.
    """
    distances = [
        (_gram(a) - _gram(b)).square().sum((1, 2)).mean()
        for a, b in zip(first, second, strict=True)
    ]
    return torch.stack(distances).sum()


def _gram(features: Tensor) -> Tensor:
    """Mean outer product of features [b c h w] of unit length at every place."""
    unit = F.normalize(features.float(), dim=1).flatten(2)
    outer: Tensor = unit @ unit.transpose(1, 2)
    return outer / unit.shape[2]


class FeatureCritic(nn.Module):
    """Scores every place of every depth; features of unit length, so that no depth outshouts."""

    def __init__(self, channels: list[int], *, width: int = 64) -> None:
        super().__init__()
        self.heads = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(count, width, 1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width, width, 3, 1, 1),
                nn.LeakyReLU(0.2),
                nn.Conv2d(width, 1, 1),
            )
            for count in channels
        )

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """Scores [b 1 h w] at each depth."""
        return [
            head(F.normalize(seen.float(), dim=1) * seen.shape[1] ** 0.5)
            for head, seen in zip(self.heads, features, strict=True)
        ]
