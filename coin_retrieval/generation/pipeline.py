"""A diffusers pipeline from its directory: components, scheduler, LoRA, and a digest of all."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from diffusers import DiffusionPipeline, SchedulerMixin
from transformers import AutoTokenizer

from coin_retrieval.config import DiffusersGeneratorSettings
from coin_retrieval.errors import MissingDependencyError, SettingsError, WeightsError
from coin_retrieval.generation.lora import find_lora, load_lora
from coin_retrieval.nets.compute import pick_device, pick_dtype
from coin_retrieval.nets.model_card import ModelCard, read_card
from coin_retrieval.nets.pretrained import (
    digest_file,
    digest_files,
    loading,
    refuse_mismatch,
    safetensors_keys,
)
from coin_retrieval.nets.reader import ConceptReader
from coin_retrieval.nets.sentence import SentenceBert
from coin_retrieval.starter import minilm
from coin_retrieval.types import content_digest

INDEX, READER = "model_index.json", "reader"
_WEIGHTS = re.compile(r"(diffusion_pytorch_model|model)(\.\w+)?(-\d+-of-\d+)?\.safetensors")
_DRAWS_TEXT = ("StableDiffusionPipeline", "StableDiffusionXLPipeline")
_TOKENIZER_FILES = ("vocab.txt", "merges.txt", "spiece.model")


@dataclass(frozen=True, slots=True)
class LoadedPipeline:
    """A pipeline on its device; ``weights`` is a SHA-256 over all that shapes its pictures."""

    pipeline: Any
    name: str
    card: ModelCard
    weights: str


def load_pipeline(settings: DiffusersGeneratorSettings) -> LoadedPipeline:
    """Load what the settings ask for, from this machine unless they allow a download.

    Raises:
        SettingsError: an unknown scheduler or device.
        WeightsError: files that are missing, damaged or incomplete.
        LoraError: LoRA keys that match no layer.
        MissingDependencyError: the pipeline needs a package that is not installed.
    """
    device = pick_device(settings.device)
    dtype = pick_dtype(settings.dtype, device)
    with loading(allow_download=settings.allow_download):
        directory = _directory(settings)
        index = _read_json(directory / INDEX)
        minilm_reads = settings.text_encoder == "minilm"
        replaced = _sentence_encoder(dtype, directory / READER) if minilm_reads else {}
        variant = _variant(directory)
        pipeline = _from_pretrained(directory, index, replaced, dtype=dtype, variant=variant)
        if settings.scheduler is not None:
            pipeline.scheduler = _scheduler(settings.scheduler, pipeline.scheduler)
        parts: dict[str, Any] = {
            "files": digest_files(_files(directory, index, set(replaced), variant)),
            "text_encoder": minilm.SHA256 if replaced else None,
            "scheduler": [type(pipeline.scheduler).__name__, _plain(pipeline.scheduler.config)],
            "dtype": str(dtype),
            "chunks": settings.chunks,
        }
        if settings.lora is not None:
            file = find_lora(settings.lora, allow_download=settings.allow_download)
            load_lora(pipeline, file, scale=settings.lora_scale)
            parts |= {"lora": digest_file(file), "lora_scale": settings.lora_scale}
    pipeline.to(device)
    pipeline.set_progress_bar_config(disable=True)
    card = read_card(directory)
    name = card.name or (settings.model if not Path(settings.model).is_dir() else directory.name)
    return LoadedPipeline(pipeline, name, card, content_digest(parts))


def _directory(settings: DiffusersGeneratorSettings) -> Path:
    local = Path(settings.model)
    if local.is_dir():
        return local.resolve()
    try:
        return Path(
            DiffusionPipeline.download(
                settings.model,
                local_files_only=not settings.allow_download,
                use_safetensors=True,
            )
        )
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"no such pipeline on this machine ({type(error).__name__})",
            value=settings.model,
            expected="a directory with model_index.json, or a hub id in the local cache",
            remedy="check the path, or allow the download (allow_download: true)",
        ) from error


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{path} cannot be read ({error})",
            expected="a pipeline's directory in diffusers' format",
            remedy="finish the copy, or correct the path",
        ) from error
    return dict(content)


def _sentence_encoder(dtype: torch.dtype, reader: Path) -> dict[str, Any]:
    """The frozen sentence tower, with the generator's own reader behind it if it has one."""
    directory = minilm.directory()
    encoder, info = SentenceBert.from_pretrained(
        directory,
        add_pooling_layer=False,
        use_safetensors=True,
        local_files_only=True,
        dtype=dtype,
        output_loading_info=True,
    )
    refuse_mismatch("the sentence encoder", missing=info["missing_keys"])
    if reader.is_dir():
        encoder.reader = ConceptReader.load(reader)
    tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    tokenizer.model_max_length = minilm.MAX_TOKENS
    return {"text_encoder": encoder.eval(), "tokenizer": tokenizer}


def _from_pretrained(
    directory: Path,
    index: dict[str, Any],
    replaced: dict[str, Any],
    *,
    dtype: torch.dtype,
    variant: str | None,
) -> Any:
    name = index.get("_class_name")
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
    files = [file for file in folder.glob("*.safetensors") if _WEIGHTS.fullmatch(file.name)]
    present = set().union(*(safetensors_keys(file) for file in files))
    prefix = f"{getattr(module, 'base_model_prefix', '')}."
    present |= {key.removeprefix(prefix) for key in present}
    tied = set(getattr(module, "_tied_weights_keys", None) or ())
    missing = {name for name, _ in module.named_parameters()} - present - tied
    refuse_mismatch(component, missing=missing)


def _variant(directory: Path) -> str | None:
    """``fp16`` where a directory holds nothing but that copy of its weights."""
    names = [file.name for file in directory.glob("*/*.safetensors")]
    plain = any(_WEIGHTS.fullmatch(name) and ".fp16." not in name for name in names)
    return "fp16" if names and not plain else None


def _files(
    directory: Path, index: dict[str, Any], replaced: set[str], variant: str | None
) -> dict[str, Path]:
    """The files that are read, by their name within the directory."""
    used = [
        component
        for component, kind in index.items()
        if isinstance(kind, list) and kind[0] is not None and component not in replaced
    ]
    files = [directory / INDEX]
    for component in used:
        for file in sorted((directory / component).glob("*")):
            weights = _WEIGHTS.fullmatch(file.name)
            loaded = weights and (not weights[2] or weights[2] == f".{variant}")
            if loaded or file.suffix == ".json" or file.name in _TOKENIZER_FILES:
                files.append(file)
    if "text_encoder" in replaced:
        files += sorted((directory / READER).glob("*"))
    return {str(file.relative_to(directory)): file for file in files}


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


def _plain(config: Any) -> Any:
    """A configuration as JSON holds it."""
    return json.loads(json.dumps(dict(config), default=str, sort_keys=True))
