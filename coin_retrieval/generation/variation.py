"""Pictures drawn from a picture: noised a little, then drawn anew (SDEdit, arXiv 2108.01073)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from PIL import Image

from coin_retrieval.images.resizing import fit_square, resize
from coin_retrieval.prototypes.base import picture_of
from coin_retrieval.types import Provenance

STRENGTH = 0.25
"""Share of the noise, and of the steps: the cell stays, its details are drawn anew."""


def from_pictures(pipeline: Any) -> Any:
    """The image-to-image sibling of a Stable Diffusion pipeline, with the same networks."""
    import diffusers

    # its own from_pipe takes no tiny autoencoder along
    if isinstance(pipeline, diffusers.StableDiffusionXLPipeline):
        return _silent(diffusers.StableDiffusionXLImg2ImgPipeline(**pipeline.components))
    return _silent(
        diffusers.StableDiffusionImg2ImgPipeline(
            **pipeline.components, requires_safety_checker=False
        )
    )


def pictures_of(plans: Sequence[Provenance]) -> dict[str, Any]:
    """What such a pipeline takes for plans of pictures, instead of words and a size."""
    first = plans[0]
    size = first.width_px, first.height_px
    pictures = [
        Image.fromarray(resize(fit_square(picture_of(plan.source), max(size)), *size))
        for plan in plans
    ]
    return {
        "prompt": [""] * len(plans),
        "image": pictures,
        "num_images_per_prompt": 1,
        "strength": STRENGTH,
        "num_inference_steps": round(first.steps / STRENGTH),
    }


def _silent(pipeline: Any) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline
