"""A translator that ``coin train cyclegan`` trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from coin_retrieval.nets.cyclegan import CONFIG, WEIGHTS, load_direction, read_config
from coin_retrieval.nets.model_card import model_name
from coin_retrieval.nets.pretrained import digest_files, safetensors_keys
from coin_retrieval.translation.base import Translator
from coin_retrieval.types import RgbImage

if TYPE_CHECKING:
    from coin_retrieval.nets.cyclegan import Translation


class CycleGanTranslator(Translator):
    """From the kind of its training's ``--from`` to that of ``--to``.

    Raises:
        WeightsError: no such model, or files that do not fit.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.side_px = read_config(directory).side_px
        safetensors_keys(directory / WEIGHTS)
        self.name = model_name(directory)
        self.identity = digest_files({name: directory / name for name in (CONFIG, WEIGHTS)})

    def load(self) -> None:
        """Load the network now; see :meth:`.Prototyper.load`."""
        _ = self._network

    @cached_property
    def _network(self) -> Translation:
        from coin_retrieval.nets.compute import pick_device

        return load_direction(self._directory, "there").to(pick_device())

    def _translate(
        self, images: Sequence[RgbImage], on_step: Callable[[int], None]
    ) -> list[RgbImage]:
        import torch

        del on_step
        network = self._network
        device = next(network.parameters()).device
        seen = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        with torch.inference_mode():
            found = network(seen.to(device)).add(1).mul(127.5).round().clamp(0, 255)
        pixels: np.ndarray = found.to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
        return list(pixels)
