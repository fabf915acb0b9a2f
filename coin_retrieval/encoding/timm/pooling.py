"""Which of a vision transformer's tokens make its embedding."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

from coin_retrieval.errors import SettingsError

Pooling = Literal["class", "mean", "class+mean"]


class PooledTokens(nn.Module):
    """A timm transformer's class token, the mean of its patch tokens, or both side by side.

    Authors differ in it: UNI and H-optimus take the class token, Virchow both (arXiv 2309.07778);
    registers (arXiv 2309.16588) belong to neither.
    """

    def __init__(self, network: Any, pooling: Pooling) -> None:
        """Pool the tokens of ``network``.

        Raises:
            SettingsError: a network without tokens, or without a class token where one is asked.
        """
        super().__init__()
        prefix = getattr(network, "num_prefix_tokens", None)
        if prefix is None or (prefix == 0 and pooling != "mean"):
            raise SettingsError(
                "the model has no class token" if prefix == 0 else "the model has no tokens",
                value=pooling,
                expected="a vision transformer" + " with a class token" * (prefix == 0),
                remedy="leave pooling out",
            )
        self.network, self.pooling, self.prefix = network, pooling, prefix

    def forward(self, batch: Tensor) -> Tensor:
        """Features [n dim] of pictures [n 3 h w]; twice the width for ``class+mean``."""
        tokens: Tensor = self.network.forward_features(batch)
        first, patches = tokens[:, 0], tokens[:, self.prefix :].mean(dim=1)
        if self.pooling == "class":
            return first
        return patches if self.pooling == "mean" else torch.cat([first, patches], dim=-1)
