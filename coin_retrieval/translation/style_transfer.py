"""Neural style transfer (Gatys et al. 2016, arXiv 1508.06576): the style of real pictures.

A picture keeps what deep features of a network see in it, and takes over the Gram matrices that
shallower ones have of the style pictures, by descent on its pixels. Nothing is trained, and what
nuclei look like is not learned: Dey et al. (arXiv 2403.10885) find that it copies style alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from coin_retrieval.config import Settings
from coin_retrieval.errors import InputError
from coin_retrieval.files import digest_file
from coin_retrieval.images.decoding import load_image
from coin_retrieval.images.resizing import fit_square
from coin_retrieval.nets.pretrained import safetensors_keys
from coin_retrieval.translation.base import Translator
from coin_retrieval.types import RgbImage, content_digest

if TYPE_CHECKING:
    from torch import Tensor

    from coin_retrieval.nets.style_features import StyleFeatures


class StyleTransferSettings(Settings):
    """``style`` are the pictures whose mean Gram matrices are aimed at; ``network`` looks.

    ``weights`` is the network's safetensors file: of torchvision's VGG-19, or of the SqueezeNet 1.1
    of the original Caffe model.
    """

    style: tuple[Path, ...]
    weights: Path
    network: Literal["vgg19", "squeezenet1_1"] = "vgg19"
    side_px: int = 128
    steps: int = 100
    style_weight: float = 1e3
    rate: float = 0.03


class StyleTransferTranslator(Translator):
    """Draws the source in the style of real pictures.

    Raises:
        InputError: no style picture.
        ImageError: one that cannot be read.
        WeightsError: weights that are missing or do not fit.
    """

    def __init__(self, settings: StyleTransferSettings) -> None:
        if not settings.style:
            raise InputError("there is no style to transfer", expected="at least one picture of it")
        safetensors_keys(settings.weights)
        self._settings = settings
        self.side_px, self.steps = settings.side_px, settings.steps
        self.name = f"style-transfer-{settings.network}"
        self._style = [fit_square(load_image(path), settings.side_px) for path in settings.style]
        self.identity = content_digest(
            settings.model_dump(mode="json", exclude={"style", "weights"})
            | {
                "weights": digest_file(settings.weights),
                "style": [digest_file(path) for path in settings.style],
            }
        )

    def load(self) -> None:
        """Load the network and look at the style now; see :meth:`.Prototyper.load`."""
        _ = self._target

    @cached_property
    def _features(self) -> StyleFeatures:
        from coin_retrieval.nets.compute import pick_device
        from coin_retrieval.nets.style_features import StyleFeatures

        return StyleFeatures(self._settings.network, self._settings.weights).to(pick_device())

    @cached_property
    def _target(self) -> list[Tensor]:
        import torch

        from coin_retrieval.nets.style_features import gram

        with torch.no_grad():
            each = [
                [gram(seen) for seen in self._features(self._tensor([image]))[:-1]]
                for image in self._style
            ]
        return [torch.cat(grams).mean(0, keepdim=True) for grams in zip(*each, strict=True)]

    def _translate(
        self, images: Sequence[RgbImage], on_step: Callable[[int], None]
    ) -> list[RgbImage]:
        import torch

        from coin_retrieval.nets.style_features import gram

        settings, target = self._settings, self._target
        content = self._tensor(images)
        with torch.no_grad():
            kept = self._features(content)[-1]
        pixels = content.clone().requires_grad_()
        optimizer = torch.optim.Adam([pixels], settings.rate)
        for step in range(settings.steps):
            *shallow, deep = self._features(pixels)
            # a sum over pictures: each descends as if it were alone
            loss = (deep - kept).square().mean(dim=(1, 2, 3)).sum()
            for seen, wanted in zip(shallow, target, strict=True):
                loss = (
                    loss
                    + settings.style_weight * (gram(seen) - wanted).square().mean(dim=(1, 2)).sum()
                )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                pixels.clamp_(-1, 1)
            if step + 1 < settings.steps:
                on_step(step + 1)
        found = pixels.detach().add(1).mul(127.5).round().to(torch.uint8)
        drawn: np.ndarray = found.permute(0, 2, 3, 1).cpu().numpy()
        return list(drawn)

    def _tensor(self, images: Sequence[RgbImage]) -> Tensor:
        import torch

        seen = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        return seen.to(next(self._features.parameters()).device)
