"""Any diffusers text-to-image pipeline as a generator, SDXL with COIN's LoRA among them."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline

from coin_retrieval.config import DiffusersGeneratorSettings
from coin_retrieval.errors import GenerationError, InputError
from coin_retrieval.generation.base import Generator
from coin_retrieval.generation.pipeline import load_pipeline
from coin_retrieval.generation.prompts import Reader, Windows, split_windows, unread_tail
from coin_retrieval.generation.tokenizers import reader
from coin_retrieval.types import GenerationRequest, Provenance, RgbImage

_WINDOWED = (StableDiffusionPipeline, StableDiffusionXLPipeline)
_SIZE_STEP_PX = 8
_MAX_SEED = 2**63 - 1
_MAX_STEPS, _MAX_GUIDANCE, _SIZE_RANGE_PX = 1000, 50, (8, 4096)


class DiffusersGenerator(Generator):
    """Draws with a diffusers pipeline (von Platen et al. 2022, github.com/huggingface/diffusers).

    Each picture's noise comes from its own CPU generator, so that it depends on its seed and not on
    what else is in the batch; only rounding may differ with the batch's size.
    """

    def __init__(self, settings: DiffusersGeneratorSettings) -> None:
        """Load the pipeline; raises as :func:`.load_pipeline`."""
        loaded = load_pipeline(settings)
        self.name = loaded.name
        self._settings = settings
        self._pipeline = loaded.pipeline
        self._card = loaded.card
        self._weights = loaded.weights
        self._parameters = inspect.signature(loaded.pipeline.__call__).parameters
        self._readers = self._all_readers()

    def _plan(self, request: GenerationRequest) -> list[Provenance]:
        settings, card = self._settings, self._card
        width_px = request.width_px or settings.width_px or card.width_px or self._side_px()
        height_px = request.height_px or settings.height_px or card.height_px or self._side_px()
        steps = request.steps or settings.steps or card.steps
        guidance = _first(request.guidance, settings.guidance, card.guidance)
        plan = Provenance(
            generator=self.name,
            weights=self._weights,
            prompt=request.prompt,
            seed=request.seed,
            steps=int(steps or self._default("num_inference_steps", 50)),
            guidance=float(_first(guidance, self._default("guidance_scale", 0.0)) or 0.0),
            width_px=width_px,
            height_px=height_px,
            dropped_text=self._windows(request.prompt).dropped_text,
        )
        _check(plan, request)
        return [replace(plan, seed=request.seed + i) for i in range(request.n)]

    def _draw(self, plans: Sequence[Provenance]) -> list[RgbImage]:
        images: list[RgbImage] = []
        with torch.inference_mode():
            for start in range(0, len(plans), self._settings.batch_size):
                for batch in self._drawable(plans[start : start + self._settings.batch_size]):
                    images += self._draw_batch(batch)
        return images

    def _drawable(self, plans: Sequence[Provenance]) -> list[list[Provenance]]:
        """One batch if every prompt fits one window, else one a prompt: they differ in length."""
        if all(len(self._windows(plan.prompt).texts) == 1 for plan in plans):
            return [list(plans)]
        return [list(alike) for _, alike in groupby(plans, key=lambda plan: plan.prompt)]

    def _draw_batch(self, plans: Sequence[Provenance]) -> list[RgbImage]:
        first = plans[0]
        mixed = any(plan.prompt != first.prompt for plan in plans)
        options = {
            "num_images_per_prompt": 1 if mixed else len(plans),
            "num_inference_steps": first.steps,
            "guidance_scale": first.guidance,
            "width": first.width_px,
            "height": first.height_px,
            "generator": [torch.Generator("cpu").manual_seed(plan.seed) for plan in plans],
            "output_type": "np",
        }
        taken = {name: value for name, value in options.items() if name in self._parameters}
        try:
            prompt = self._prompts(plans) if mixed else self._prompt(first)
            drawn = self._pipeline(**prompt, **taken).images
        except ValueError as error:
            raise InputError(
                f"the pipeline refuses these settings ({error})",
                value={name: taken[name] for name in taken if name != "generator"},
                expected="settings that its scheduler and size allow",
                remedy="change steps, guidance or size",
            ) from error
        pixels = np.asarray(drawn)
        for plan, picture in zip(plans, pixels, strict=True):
            _refuse_non_finite(picture, plan)
        return list((pixels * 255).round().astype(np.uint8))

    def _prompts(self, plans: Sequence[Provenance]) -> dict[str, Any]:
        """Of different reports, each of which fits one window."""
        return {"prompt": [self._windows(plan.prompt).texts[0] for plan in plans]}

    def _prompt(self, plan: Provenance) -> dict[str, Any]:
        """The prompt's arguments: the text itself if one window holds it, else its embeddings."""
        texts = self._windows(plan.prompt).texts
        pipeline = self._pipeline
        if len(texts) == 1:
            return {"prompt": texts[0]}
        guided = plan.guidance > 1 and pipeline.unet.config.time_cond_proj_dim is None
        parts = [
            pipeline.encode_prompt(
                prompt=text,
                device=pipeline._execution_device,
                num_images_per_prompt=1,
                do_classifier_free_guidance=guided,
            )
            for text in texts
        ]
        embeds = {"prompt_embeds": torch.cat([part[0] for part in parts], dim=1)}
        if guided:
            embeds["negative_prompt_embeds"] = torch.cat([part[1] for part in parts], dim=1)
        if isinstance(pipeline, StableDiffusionXLPipeline):
            embeds["pooled_prompt_embeds"] = parts[0][2]
            if guided:
                embeds["negative_pooled_prompt_embeds"] = parts[0][3]
        return embeds

    def _windows(self, prompt: str) -> Windows:
        if isinstance(self._pipeline, _WINDOWED) and self._readers:
            return split_windows(prompt, self._readers, chunks=self._settings.chunks)
        return Windows((prompt,), unread_tail(prompt, self._readers))

    def _all_readers(self) -> list[Reader]:
        longest = self._default("max_sequence_length", None)
        components = self._pipeline.components
        names = [name for name in components if name.startswith("tokenizer")]
        return [reader(components[name], longest) for name in names if components[name] is not None]

    def _default(self, parameter: str, otherwise: Any) -> Any:
        found = self._parameters.get(parameter)
        return otherwise if found is None or found.default is found.empty else found.default

    def _side_px(self) -> int:
        pipeline = self._pipeline
        network = pipeline.components.get("unet") or pipeline.components.get("transformer")
        latent = getattr(pipeline, "default_sample_size", None) or network.config.sample_size
        latent = latent if isinstance(latent, int) else latent[0]
        return int(latent * getattr(pipeline, "vae_scale_factor", 8))


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _check(plan: Provenance, request: GenerationRequest) -> None:
    low, high = _SIZE_RANGE_PX
    for side in (plan.width_px, plan.height_px):
        if not low <= side <= high or side % _SIZE_STEP_PX:
            raise InputError(
                "picture size out of range",
                value=f"{plan.width_px} × {plan.height_px} px",
                expected=f"multiples of {_SIZE_STEP_PX} from {low} to {high}",
            )
    if not 1 <= plan.steps <= _MAX_STEPS or not 0 <= plan.guidance <= _MAX_GUIDANCE:
        raise InputError(
            "steps or guidance out of range",
            value=f"{plan.steps} steps, guidance {plan.guidance}",
            expected=f"1 to {_MAX_STEPS} steps, guidance 0 to {_MAX_GUIDANCE}",
        )
    if not 0 <= request.seed <= _MAX_SEED - request.n:
        raise InputError("seed out of range", value=request.seed, expected=f"0 to {_MAX_SEED}")


def _refuse_non_finite(picture: np.ndarray, plan: Provenance) -> None:
    if not np.all(np.isfinite(picture)):
        raise GenerationError(
            "the generator's numbers overflowed",
            value=f"seed {plan.seed}: {int(np.sum(~np.isfinite(picture)))} non-finite values",
            expected="finite pixels",
            remedy="use dtype bfloat16 or float32, or check the weights",
        )
