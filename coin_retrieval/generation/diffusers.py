"""Any diffusers text-to-image pipeline as a generator, SDXL with COIN's LoRA among them."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache
from itertools import chain, groupby
from typing import Any

import numpy as np

from coin_retrieval.config import DiffusersGeneratorSettings
from coin_retrieval.errors import GenerationError, InputError, OutOfMemoryError
from coin_retrieval.generation.guidance import (
    guided_tensors,
    require_guidance,
    stop_guiding,
)
from coin_retrieval.generation.noise import first_latents, require_latents
from coin_retrieval.generation.pipeline_files import find_pipeline
from coin_retrieval.generation.prompts import TokenLimit, Windows, split_windows, unread_tail
from coin_retrieval.generation.tokenizers import file_limit, token_limit
from coin_retrieval.generation.variation import STRENGTH, from_pictures, pictures_of
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.starter import minilm
from coin_retrieval.types import (
    PictureSource,
    Provenance,
    ReportSource,
    RgbImage,
    Source,
    content_digest,
)

_SD, _SDXL = "StableDiffusionPipeline", "StableDiffusionXLPipeline"
_SIZE_STEP_PX = 8
_MAX_STEPS, _MAX_GUIDANCE, _SIZE_RANGE_PX = 1000, 50, (8, 4096)
_TEXTS_REMEMBERED = 256


class DiffusersGenerator(Prototyper):
    """Draws with a diffusers pipeline (von Platen et al. 2022, github.com/huggingface/diffusers).

    Each picture's noise comes from its own CPU generator, so that it depends on its seed and not on
    what else is in the batch; only rounding may differ with the batch's size. Stable Diffusion, XL
    or not, also varies pictures: without words or guidance, from a quarter of the noise.
    """

    def __init__(self, settings: DiffusersGeneratorSettings) -> None:
        """Find the pipeline's files; it loads at the first picture.

        A plan or the identity load it too where neither settings nor ``coin.json`` say steps,
        guidance and size: then they are the pipeline's own.

        Raises:
            WeightsError: files that are missing, damaged, or would have to be downloaded.
            LoraError: no single LoRA file.
        """
        self._files = find_pipeline(settings)
        if self._files.index.get("_class_name") in (_SD, _SDXL):
            self.sources = (ReportSource, PictureSource)
        self.name = self._files.name
        self._settings = self._files.settings
        self.batch_size = self._settings.batch_size
        self._loading = threading.RLock()
        self._warm = False
        # a report is asked about at each of its pictures
        self._knows = lru_cache(_TEXTS_REMEMBERED)(self._read_knows)
        self._windows = lru_cache(_TEXTS_REMEMBERED)(self._split)

    def load(self) -> None:
        """Load the pipeline now; see :meth:`.Prototyper.load`.

        Raises:
            InputError: it cannot draw the size, steps or guidance set.
            SettingsError, WeightsError, LoraError, MissingDependencyError: as
                :func:`.load_pipeline` does.
        """
        with self._loading:
            _ = self._pipeline, self.identity
            if self._warm:
                return
            self._warm = True
            if self._settings.guided_share < 1:
                require_guidance(self._pipeline)
            if self._files.noise_offset:
                require_latents(self._pipeline)
            if self._compiled:  # at the first picture: nobody waits for it later
                self._draw([self._plan(ReportSource("cells"))] * self.batch_size, lambda _: None)

    @cached_property
    def identity(self) -> str:  # type: ignore[override]
        """SHA-256 (hex) of all that shapes its pictures besides source and seed."""
        return content_digest(self._made_with)

    @cached_property
    def _pipeline(self) -> Any:
        with self._loading:
            if (loaded := self.__dict__.get("_pipeline")) is not None:
                return loaded
            from coin_retrieval.generation.pipeline import load_pipeline

            return load_pipeline(self._files)

    @property
    def _compiled(self) -> bool:
        from coin_retrieval.generation.acceleration import compiles
        from coin_retrieval.nets.compute import pick_device

        return compiles(self._settings, pick_device(self._settings.device))

    @cached_property
    def _varying(self) -> Any:
        return from_pictures(self._pipeline)

    @cached_property
    def _parameters(self) -> Any:
        return inspect.signature(self._pipeline.__call__).parameters

    @cached_property
    def _made_with(self) -> dict[str, Any]:
        """What all its pictures share: the settings', else the directory's, else the pipeline's."""
        from coin_retrieval.nets.compute import pick_device, pick_dtype

        settings, card = self._settings, self._files.card
        dtype = pick_dtype(settings.dtype, pick_device(settings.device))
        steps = settings.steps or card.steps or self._default("num_inference_steps", 50)
        guidance = _first(settings.guidance, card.guidance)
        if guidance is None:
            guidance = self._default("guidance_scale", 0.0)
        made_with: dict[str, Any] = {
            "weights": self._files.digest(dtype=str(dtype)),
            "steps": int(steps),
            "guidance": float(guidance or 0.0),
            "width_px": settings.width_px or card.width_px or self._side_px(),
            "height_px": settings.height_px or card.height_px or self._side_px(),
        }
        _check(**made_with)
        return made_with

    def knows(self, source: Source) -> bool:
        """What its own reader says, if it has one; see :meth:`.Prototyper.knows`."""
        if self._files.reader is None or isinstance(source, PictureSource):
            return True
        return self._knows(_text(source))

    def _read_knows(self, text: str) -> bool:
        import torch

        pipeline = self._pipeline
        ids = pipeline.tokenizer(text, truncation=True, return_tensors="pt").input_ids
        with torch.inference_mode():
            known: bool = pipeline.text_encoder.knows(ids.to(pipeline.text_encoder.device))
        return known

    def _plan(self, source: Source) -> Provenance:
        if isinstance(source, PictureSource):
            varied = {"steps": max(1, round(self._made_with["steps"] * STRENGTH)), "guidance": 0.0}
            return Provenance(self.name, source=source, seed=0, **self._made_with | varied)
        return Provenance(
            generator=self.name,
            source=source,
            seed=0,
            dropped_text=self._windows(_text(source)).dropped_text,
            **self._made_with,
        )

    def _batches(self, plans: Sequence[Provenance]) -> list[Sequence[Provenance]]:
        """Reports that need several windows differ in length: each is a batch of its own."""
        batches: list[Sequence[Provenance]] = []
        kinds = groupby(plans, key=lambda plan: type(plan.source))
        for batch in chain.from_iterable(map(super()._batches, (list(p) for _, p in kinds))):
            pictures = isinstance(batch[0].source, PictureSource)
            if pictures or all(len(self._windows(_text(p.source)).texts) == 1 for p in batch):
                batches.append(batch)
            else:
                batches += [list(alike) for _, alike in groupby(batch, key=lambda p: p.source)]
        return batches

    def _draw(self, plans: Sequence[Provenance], on_step: Callable[[int], None]) -> list[RgbImage]:
        import torch

        self.load()
        first = plans[0]
        varied = isinstance(first.source, PictureSource)
        pipeline = self._varying if varied else self._pipeline
        mixed = not varied and any(plan.source != first.source for plan in plans)
        stepped = False
        share = self._settings.guided_share

        def step_end(pipeline: Any, step: int, _: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            nonlocal stepped
            stepped = True
            # some schedulers call the network twice a step
            if step + 1 < first.steps:
                on_step(step + 1)
            if share == 1 or step + 1 != max(1, round(share * pipeline.num_timesteps)):
                return tensors
            return stop_guiding(pipeline, tensors)

        seeds = [torch.Generator("cpu").manual_seed(plan.seed) for plan in plans]
        options = {
            "num_images_per_prompt": 1 if mixed else len(plans),
            "num_inference_steps": first.steps,
            "guidance_scale": first.guidance,
            "width": first.width_px,
            "height": first.height_px,
            "generator": seeds,
            "output_type": "np",
            "callback_on_step_end": step_end,
        }
        if varied:
            options |= pictures_of(plans)
        elif self._files.noise_offset:
            offset = self._files.noise_offset
            options["latents"] = first_latents(pipeline, first, seeds, offset=offset)
        if share < 1:
            options["callback_on_step_end_tensor_inputs"] = guided_tensors(pipeline)
        known = inspect.signature(pipeline.__call__).parameters
        taken = {name: value for name, value in options.items() if name in known}
        try:
            with torch.inference_mode():
                if not varied:
                    taken |= self._prompts(plans) if mixed else self._prompt(first)
                drawn = pipeline(**taken).images
        except (torch.OutOfMemoryError, MemoryError) as error:
            raise OutOfMemoryError(
                "the device has no room for this batch",
                value=f"{len(plans)} pictures of {first.width_px} × {first.height_px}",
                expected="fewer at once, or smaller ones",
                remedy="lower batch_size in the generator's settings",
            ) from error
        except ValueError as error:
            if stepped:  # the settings were fine: what the listener raises is its own
                raise
            raise InputError(
                f"the pipeline refuses these settings ({error})",
                value=self._made_with,
                expected="settings that its scheduler and size allow",
                remedy="change steps, guidance or size",
            ) from error
        pixels = np.asarray(drawn)
        for plan, picture in zip(plans, pixels, strict=True):
            _refuse_non_finite(picture, plan)
        return list((pixels * 255).round().astype(np.uint8))

    def _prompts(self, plans: Sequence[Provenance]) -> dict[str, Any]:
        """Of different reports, each of which fits one window."""
        return {"prompt": [self._windows(_text(plan.source)).texts[0] for plan in plans]}

    def _prompt(self, plan: Provenance) -> dict[str, Any]:
        """The prompt's arguments: the text itself if one window holds it, else its embeddings."""
        import torch

        texts = self._windows(_text(plan.source)).texts
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
        if self._class == _SDXL:
            embeds["pooled_prompt_embeds"] = parts[0][2]
            if guided:
                embeds["negative_pooled_prompt_embeds"] = parts[0][3]
        return embeds

    def _split(self, prompt: str) -> Windows:
        if self._class in (_SD, _SDXL) and self._limits:
            return split_windows(prompt, self._limits, chunks=self._settings.chunks)
        return Windows((prompt,), unread_tail(prompt, self._limits))

    @cached_property
    def _class(self) -> str:
        """The pipeline's class; a directory of another task has a sibling that draws from text."""
        named = self._files.index.get("_class_name")
        return named if named in (_SD, _SDXL) else type(self._pipeline).__name__

    @cached_property
    def _limits(self) -> list[TokenLimit]:
        if self._class == _SD and self._files.replaced:
            return [file_limit(minilm.directory() / "tokenizer.json", minilm.MAX_TOKENS)]
        longest = self._default("max_sequence_length", None)
        components = self._pipeline.components
        names = [name for name in components if name.startswith("tokenizer")]
        return [
            token_limit(components[name], longest) for name in names if components[name] is not None
        ]

    def _default(self, parameter: str, otherwise: Any) -> Any:
        found = self._parameters.get(parameter)
        return otherwise if found is None or found.default is found.empty else found.default

    def _side_px(self) -> int:
        pipeline = self._pipeline
        network = pipeline.components.get("unet") or pipeline.components.get("transformer")
        latent = getattr(pipeline, "default_sample_size", None) or network.config.sample_size
        latent = latent if isinstance(latent, int) else latent[0]
        return int(latent * getattr(pipeline, "vae_scale_factor", 8))


def _text(source: Source) -> str:
    """Of the one kind of source that it plans."""
    assert isinstance(source, ReportSource)  # noqa: S101  the role refuses others
    return source.text


def _first(*values: float | None) -> float | None:
    return next((value for value in values if value is not None), None)


def _check(*, steps: int, guidance: float, width_px: int, height_px: int, weights: str) -> None:
    low, high = _SIZE_RANGE_PX
    for side in (width_px, height_px):
        if not low <= side <= high or side % _SIZE_STEP_PX:
            raise InputError(
                "picture size out of range",
                value=f"{width_px} × {height_px} px",
                expected=f"multiples of {_SIZE_STEP_PX} from {low} to {high}",
            )
    if not 1 <= steps <= _MAX_STEPS or not 0 <= guidance <= _MAX_GUIDANCE:
        raise InputError(
            "steps or guidance out of range",
            value=f"{steps} steps, guidance {guidance}",
            expected=f"1 to {_MAX_STEPS} steps, guidance 0 to {_MAX_GUIDANCE}",
        )


def _refuse_non_finite(picture: np.ndarray, plan: Provenance) -> None:
    if not np.all(np.isfinite(picture)):
        raise GenerationError(
            "the generator's numbers overflowed",
            value=f"seed {plan.seed}: {int(np.sum(~np.isfinite(picture)))} non-finite values",
            expected="finite pixels",
            remedy="use dtype bfloat16 or float32, or check the weights",
        )
