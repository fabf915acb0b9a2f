"""A diffusers pipeline from its files: components, scheduler, LoRA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import AutoencoderTiny, DiffusionPipeline, SchedulerMixin
from transformers import AutoTokenizer

from coin_retrieval.errors import MissingDependencyError, SettingsError, WeightsError
from coin_retrieval.generation.acceleration import accelerate
from coin_retrieval.generation.lora import load_loras
from coin_retrieval.generation.pipeline_files import WEIGHTS, PipelineFiles
from coin_retrieval.nets.compute import pick_device, pick_dtype
from coin_retrieval.nets.pretrained import loading, refuse_mismatch, safetensors_keys
from coin_retrieval.nets.reader import ConceptReader
from coin_retrieval.nets.sentence import SentenceBert
from coin_retrieval.starter import minilm

_DRAWS_TEXT = ("StableDiffusionPipeline", "StableDiffusionXLPipeline")


def load_pipeline(files: PipelineFiles) -> Any:
    """The pipeline of these files, on its device.

    Raises:
        SettingsError: an unknown scheduler or device.
        WeightsError: files that are missing, damaged or incomplete.
        LoraError: LoRA keys that match no layer.
        MissingDependencyError: the pipeline needs a package that is not installed.
    """
    settings = files.settings
    device = pick_device(settings.device)
    dtype = pick_dtype(settings.dtype, device)
    with loading(allow_download=settings.allow_download):
        replaced = _sentence_encoder(files, dtype, device) if files.replaced else {}
        pipeline = _from_pretrained(files, replaced, dtype=dtype)
        if settings.scheduler is not None:
            pipeline.scheduler = _scheduler(settings.scheduler, pipeline.scheduler)
        stacked = (files.lora, settings.lora_scale), (files.adapter, settings.adapter_scale)
        load_loras(pipeline, [(file, scale) for file, scale in stacked if file is not None])
        if files.tiny_vae is not None:
            pipeline.vae = AutoencoderTiny.from_pretrained(
                files.tiny_vae, use_safetensors=True, local_files_only=True, dtype=dtype
            )
    accelerate(pipeline, settings, device)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _sentence_encoder(
    files: PipelineFiles, dtype: torch.dtype, device: torch.device
) -> dict[str, Any]:
    """The frozen sentence tower, with the generator's own reader behind it if it has one."""
    directory = minilm.directory()
    encoder = SentenceBert.of_directory(
        directory, dtype=dtype, device=device, adapter=files.text_adapter
    )
    if files.reader is not None:
        encoder.reader = ConceptReader.load(files.reader)
    tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    tokenizer.model_max_length = minilm.MAX_TOKENS
    return {"text_encoder": encoder, "tokenizer": tokenizer}


def _from_pretrained(files: PipelineFiles, replaced: dict[str, Any], *, dtype: torch.dtype) -> Any:
    directory, variant = files.directory, files.variant
    name = files.index.get("_class_name")
    loader = DiffusionPipeline if name in _DRAWS_TEXT else _loader_of(name)
    # what is replaced is left out and put in afterwards, so that the index may name it or not
    options: dict[str, Any] = dict.fromkeys(replaced) | ({"variant": variant} if variant else {})
    try:
        pipeline = loader.from_pretrained(
            directory,
            use_safetensors=True,
            local_files_only=True,
            dtype=dtype,
            **options,
        )
        pipeline.register_modules(**replaced)
    except ImportError as error:
        raise MissingDependencyError(
            f"{name} needs a package that is not installed", remedy=str(error).strip()
        ) from error
    except (OSError, ValueError, RuntimeError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"diffusers cannot load this pipeline ({error})",
            value=str(directory),
            expected="every component that model_index.json names, as safetensors",
            remedy="finish the copy; one without its text encoder needs text_encoder: minilm",
        ) from error
    for component, module in pipeline.components.items():
        if component not in replaced and isinstance(module, torch.nn.Module):
            _check_component(directory / component, component, module)
    return pipeline


def _loader_of(name: Any) -> Any:
    """The text-to-image sibling of a pipeline that another task's directory names."""
    # imports every pipeline there is: half a second that most searches need not wait for
    from diffusers.pipelines.auto_pipeline import (
        SUPPORTED_TASKS_MAPPINGS,
        AutoPipelineForText2Image,
    )

    linked = {kind.__name__ for task in SUPPORTED_TASKS_MAPPINGS for kind in task.values()}
    return AutoPipelineForText2Image if name in linked else DiffusionPipeline


def _check_component(folder: Path, component: str, module: torch.nn.Module) -> None:
    """Both libraries fill what a file lacks with random numbers; here that is an error."""
    files = [file for file in folder.glob("*.safetensors") if WEIGHTS.fullmatch(file.name)]
    present = set().union(*(safetensors_keys(file) for file in files))
    prefix = f"{getattr(module, 'base_model_prefix', '')}."
    present |= {key.removeprefix(prefix) for key in present}
    tied = set(getattr(module, "_tied_weights_keys", None) or ())
    missing = {name for name, _ in module.named_parameters()} - present - tied
    refuse_mismatch(component, missing=missing)


def _scheduler(name: str, current: Any) -> Any:
    kind: Any = getattr(diffusers, name, None)
    exists = isinstance(kind, type) and issubclass(kind, SchedulerMixin)
    if not exists:
        known = [other.__name__ for other in current.compatibles] or [type(current).__name__]
        raise SettingsError(
            "diffusers has no such scheduler",
            value=name,
            expected=f"a class such as {', '.join(sorted(known)[:8])}",
            remedy="write the class's whole name",
        )
    return kind.from_config(current.config)
