"""The latents that pictures begin as, where they are not left to the pipeline."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from coin_retrieval.errors import SettingsError
from coin_retrieval.types import Provenance


def require_latents(pipeline: Any) -> None:
    """Raises:
    SettingsError: a pipeline that is not handed the noise it begins with.
    """
    takes = "latents" in inspect.signature(pipeline.__call__).parameters
    if not takes or not hasattr(pipeline, "unet"):
        raise SettingsError(
            "this pipeline's noise cannot be shifted",
            value=type(pipeline).__name__,
            expected="noise_offset 0",
            remedy="leave noise_offset out",
        )


def first_latents(pipeline: Any, first: Provenance, seeds: Sequence[Any], *, offset: float) -> Any:
    """Noise [b c h w] of pictures of the first one's size, one of each torch generator.

    But for the shift (:mod:`.nets.noise`) it is what the pipeline would draw with them first.
    """
    import torch

    from coin_retrieval.nets.noise import offset_noise

    network, factor = pipeline.unet, pipeline.vae_scale_factor
    sides = first.height_px // factor, first.width_px // factor
    shape = (1, network.config.in_channels, *sides)
    noise = torch.cat([offset_noise(shape, offset, generator=seed) for seed in seeds])
    return noise.to(network.dtype)
