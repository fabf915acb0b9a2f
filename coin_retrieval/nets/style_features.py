"""What a frozen ImageNet network sees in a picture, shallow to deep; the last one is content."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torchvision.models import squeezenet1_1, vgg19

from coin_retrieval.nets.pretrained import read_safetensors, refuse_mismatch

_TAPS = {
    # relu1_1 … relu5_1 and, for content, relu4_2 (Gatys et al. 2016)
    "vgg19": ((1, 6, 11, 20, 29), 22),
    "squeezenet1_1": ((1, 3, 4, 7, 9), 9),
}
_CAFFE_MEAN_BGR = (104.0, 117.0, 123.0)
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class StyleFeatures(nn.Module):
    """Taps of VGG-19 (torchvision's weights) or SqueezeNet 1.1 (the Caffe model's).

    Raises:
        WeightsError: the file is not this network's.
    """

    def __init__(self, network: Literal["vgg19", "squeezenet1_1"], weights: Path) -> None:
        super().__init__()
        built = vgg19(weights=None) if network == "vgg19" else squeezenet1_1(weights=None)
        offered, own = read_safetensors(weights), built.state_dict()
        needed = {name for name in own if name.startswith("features.")}
        fitting = {n for n in needed if n in offered and offered[n].shape == own[n].shape}
        refuse_mismatch(network, missing=needed - fitting)
        built.load_state_dict({name: offered.get(name, own[name]) for name in own})
        self.style, self.content = _TAPS[network]
        self.layers = built.features[: max(*self.style, self.content) + 1]
        self.layers.requires_grad_(False).eval()
        self._caffe = network == "squeezenet1_1"

    def forward(self, pictures: Tensor) -> list[Tensor]:
        """Of pictures [b 3 h w] in [-1, 1]: features of style, shallow to deep, then of content."""
        if self._caffe:
            mean = pictures.new_tensor(_CAFFE_MEAN_BGR).view(1, 3, 1, 1)
            seen = pictures.flip(1).add(1).mul(127.5) - mean
        else:
            mean, std = (pictures.new_tensor(v).view(1, 3, 1, 1) for v in (_MEAN, _STD))
            seen = (pictures.add(1).div(2) - mean) / std
        taps = {}
        for index, layer in enumerate(self.layers):
            # in-place activations would change what was tapped before them
            seen = torch.relu(seen) if isinstance(layer, nn.ReLU) else layer(seen)
            taps[index] = seen / 255 if self._caffe else seen
        return [*(taps[index] for index in self.style), taps[self.content]]


def gram(features: Tensor) -> Tensor:
    """Which features come together, [b c c], a mean over places."""
    flat = features.flatten(2)
    found: Tensor = flat @ flat.transpose(1, 2) / flat.shape[2] / flat.shape[1] ** 0.5
    return found
