"""Where a diffusers pipeline lies, and what it is: told by its files, no network is loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coin_retrieval.config import DiffusersGeneratorSettings
from coin_retrieval.errors import WeightsError
from coin_retrieval.files import digest_file
from coin_retrieval.generation.lora import find_lora, require_base
from coin_retrieval.nets.model_card import ModelCard, read_card
from coin_retrieval.nets.pretrained import (
    digest_files,
    hub_snapshot,
    remedy_of,
    safetensors_keys,
)
from coin_retrieval.nets.text_adapter import FOLDER as TEXT_ADAPTER
from coin_retrieval.nets.text_adapter import adapter_of
from coin_retrieval.starter import minilm
from coin_retrieval.types import content_digest

INDEX, READER = "model_index.json", "reader"
WEIGHTS = re.compile(r"(diffusion_pytorch_model|model)(\.\w+)?(-\d+-of-\d+)?\.safetensors")
_TOKENIZER_FILES = ("vocab.txt", "merges.txt", "spiece.model")


@dataclass(frozen=True, slots=True)
class PipelineFiles:
    """A pipeline before it is loaded.

    ``variant`` is ``fp16`` where a directory holds nothing but that copy of its weights; ``read``
    are the files that are read, by their name within the directory.
    """

    settings: DiffusersGeneratorSettings
    directory: Path
    index: Mapping[str, Any]
    card: ModelCard
    variant: str | None
    lora: Path | None
    read: Mapping[str, Path]
    adapter: Path | None = None
    tiny_vae: Path | None = None

    @property
    def name(self) -> str:
        """The card's, else as the settings name it: never a path, which differs by machine."""
        model = self.settings.model
        return self.card.name or (self.directory.name if Path(model).is_dir() else model)

    @property
    def replaced(self) -> tuple[str, ...]:
        """Components that do not come from the directory."""
        return ("text_encoder", "tokenizer") if self.settings.text_encoder == "minilm" else ()

    @property
    def reader(self) -> Path | None:
        """What reads the sentence tower's vectors, and says what is not drawn."""
        folder = self.directory / READER
        return folder if self.replaced and folder.is_dir() else None

    @property
    def text_adapter(self) -> Path | None:
        """What is added to the sentence tower's weights."""
        return adapter_of(self.directory) if self.replaced else None

    @property
    def unet_digest(self) -> str:
        """SHA-256 (hex) of the U-Net's files: what a LoRA is trained on."""
        return digest_files({k: v for k, v in self.read.items() if k.startswith("unet/")})

    @property
    def noise_offset(self) -> float:
        """Of the noise that a picture begins as: the settings', else the directory's, else none."""
        asked, recommended = self.settings.noise_offset, self.card.noise_offset
        return (recommended or 0.0) if asked is None else asked

    def digest(self, *, dtype: str) -> str:
        """SHA-256 (hex) over all that shapes its pictures, computed in this number format."""
        parts: dict[str, Any] = {
            "files": digest_files(self.read),
            "text_encoder": minilm.SHA256 if self.replaced else None,
            "scheduler": self.settings.scheduler,
            "dtype": dtype,
            "chunks": self.settings.chunks,
        }
        if self.lora is not None:
            parts |= {"lora": digest_file(self.lora), "lora_scale": self.settings.lora_scale}
        if self.adapter is not None:
            scale = self.settings.adapter_scale
            parts |= {"adapter": digest_file(self.adapter), "adapter_scale": scale}
        if self.tiny_vae is not None:
            parts["tiny_vae"] = digest_files({f.name: f for f in sorted(self.tiny_vae.glob("*"))})
        if self.settings.guided_share < 1:
            parts["guided_share"] = self.settings.guided_share
        if self.noise_offset:
            parts["noise_offset"] = self.noise_offset
        if self.settings.quantised is not None:
            parts["quantised"] = self.settings.quantised
        return content_digest(parts)


def find_pipeline(settings: DiffusersGeneratorSettings) -> PipelineFiles:
    """The pipeline that the settings ask for, on this machine unless they allow a download.

    Raises:
        WeightsError: files that are missing, damaged or in an unsafe format.
        LoraError: no single LoRA file.
    """
    settings = settings.resolved()
    directory = _directory(settings)
    index = _read_json(directory / INDEX)
    variant = _variant(directory)
    lora, adapter = (_lora(settings, name) for name in (settings.lora, settings.adapter))
    replaced = {"text_encoder", "tokenizer"} if settings.text_encoder == "minilm" else set()
    read = _files(directory, index, replaced, variant)
    for file in read.values():
        if file.suffix == ".safetensors":
            safetensors_keys(file)
    card, tiny_vae = read_card(directory), _tiny_vae(settings)
    files = PipelineFiles(settings, directory, index, card, variant, lora, read, adapter, tiny_vae)
    for file in filter(None, (lora, adapter)):
        require_base(file, files.name, lambda: files.unet_digest)
    return files


def _lora(settings: DiffusersGeneratorSettings, name: str | None) -> Path | None:
    if name is None:
        return None
    return find_lora(name, allow_download=settings.allow_download)


def _tiny_vae(settings: DiffusersGeneratorSettings) -> Path | None:
    if settings.tiny_vae is None:
        return None
    directory = Path(settings.tiny_vae)
    if not directory.is_dir():
        patterns = ["config.json", "diffusion_pytorch_model.safetensors"]
        directory = hub_snapshot(
            settings.tiny_vae, patterns=patterns, allow_download=settings.allow_download
        )
    _require_weights(directory)
    return directory


def _directory(settings: DiffusersGeneratorSettings) -> Path:
    local = Path(settings.model)
    if local.is_dir():
        return local.resolve()
    from diffusers import DiffusionPipeline

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
            remedy=remedy_of(settings.model, lora=settings.lora),
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


def _variant(directory: Path) -> str | None:
    """``fp16`` where a directory holds nothing but that copy of its weights."""
    names = [file.name for file in directory.glob("*/*.safetensors")]
    plain = any(WEIGHTS.fullmatch(name) and ".fp16." not in name for name in names)
    return "fp16" if names and not plain else None


def _files(
    directory: Path, index: Mapping[str, Any], replaced: set[str], variant: str | None
) -> dict[str, Path]:
    """The files that are read, by their name within the directory."""
    used = [
        component
        for component, kind in index.items()
        if isinstance(kind, list) and kind[0] is not None and component not in replaced
    ]
    files = [directory / INDEX]
    for component in used:
        _require_weights(directory / component)
        for file in sorted((directory / component).glob("*")):
            weights = WEIGHTS.fullmatch(file.name)
            loaded = weights and (not weights[2] or weights[2] == f".{variant}")
            if loaded or file.suffix == ".json" or file.name in _TOKENIZER_FILES:
                files.append(file)
    if "text_encoder" in replaced:
        for folder in (READER, TEXT_ADAPTER):
            files += sorted((directory / folder).glob("*"))
    return {str(file.relative_to(directory)): file for file in files}


def _require_weights(component: Path) -> None:
    """A network's folder is known by its configuration; without weights it would be no network."""
    names = sorted(file.name for file in component.glob("*"))
    if not names or ("config.json" in names and not any(map(WEIGHTS.fullmatch, names))):
        raise WeightsError(
            f"{component} has no weights",
            value=names,
            expected="every component that model_index.json names, as safetensors",
            remedy="finish the copy; one without its text encoder needs text_encoder: minilm",
        )
