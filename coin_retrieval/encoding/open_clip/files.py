"""Where an open_clip model lies, and what it is: told by its files, no network is loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coin_retrieval.config import OpenClipEncoderSettings
from coin_retrieval.encoding.open_clip.text_tower import (
    refuse_second_tower,
    tower_files,
    with_local_text,
)
from coin_retrieval.errors import SettingsError, WeightsError
from coin_retrieval.files import digest_file
from coin_retrieval.nets.model_card import model_name
from coin_retrieval.nets.pretrained import (
    digest_files,
    hub_snapshot,
    safetensors_keys,
)
from coin_retrieval.nets.text_adapter import adapter_files, adapter_of
from coin_retrieval.starter import minilm
from coin_retrieval.types import EncoderSpec, content_digest

HUB = "hf-hub:"
CONFIG = "open_clip_config.json"
WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "model.safetensors",
)
PREPROCESSING: Mapping[str, Any] = {
    "size": 224,
    "mode": "RGB",
    "mean": (0.48145466, 0.4578275, 0.40821073),
    "std": (0.26862954, 0.26130258, 0.27577711),
    "interpolation": "bicubic",
    "resize_mode": "shortest",
    "fill_color": 0,
}
"""What open_clip takes where a configuration is silent (its ``PreprocessCfg``)."""

_SNAPSHOT = [CONFIG, *WEIGHTS[:2], "config.json", "*token*.json", "vocab*", "merges.txt", "*.model"]


@dataclass(frozen=True, slots=True)
class OpenClipFiles:
    """A model before it is loaded.

    ``config`` is open_clip's ``model_cfg``, its text tower named by where it lies here;
    ``preprocess`` what the model's transform is made from; ``text_tower`` a directory whose weights
    the file ``weights`` leaves out, ``text_adapter`` what is added to them.
    """

    name: str
    revision: str
    config: Mapping[str, Any]
    preprocess: Mapping[str, Any]
    weights: Path
    text_tower: Path | None = None
    text_adapter: Path | None = None
    allow_download: bool = False

    @property
    def spec(self) -> EncoderSpec:
        """The identity of its space: the weights' digest covers the text tower's files."""
        parts = {"model": digest_file(self.weights)}
        if self.text_tower is not None:
            parts["text_tower"] = digest_files(tower_files(self.text_tower))
        if self.text_adapter is not None:
            parts["text_adapter"] = digest_files(adapter_files(self.text_adapter))
        return EncoderSpec(
            name=self.name,
            revision=self.revision,
            dim=int(self.config["embed_dim"]),
            preprocessing=content_digest(dict(self.preprocess)),
            weights=content_digest(parts),
        )


def find_open_clip(settings: OpenClipEncoderSettings) -> OpenClipFiles:
    """The model that the settings ask for.

    A directory in open_clip's format has ``open_clip_config.json``, whose ``preprocess_cfg`` is
    used as it stands, and safetensors weights; with ``text_tower`` these hold every key but
    ``text.transformer.*``.

    Raises:
        SettingsError: an unknown name or tag.
        WeightsError: files that are missing, damaged, do not fit, or would have to be downloaded.
    """
    directory = Path(settings.model)
    if directory.is_dir():
        if settings.pretrained is not None:
            raise SettingsError(
                "a directory has its own weights",
                value=settings.pretrained,
                expected="no pretrained beside a directory",
                remedy="leave pretrained out",
            )
        return _in_directory(directory, settings, name=model_name(directory))
    if settings.model.startswith(HUB):
        repository = settings.model.removeprefix(HUB)
        snapshot = hub_snapshot(
            repository, patterns=_SNAPSHOT, allow_download=settings.allow_download
        )
        return _in_directory(snapshot, settings, name=repository, revision=snapshot.name)
    return _by_name(settings)


def _in_directory(
    directory: Path, settings: OpenClipEncoderSettings, *, name: str, revision: str = ""
) -> OpenClipFiles:
    config = _read_config(directory)
    weights = next((directory / name for name in WEIGHTS if (directory / name).is_file()), None)
    if weights is None:
        raise WeightsError(
            f"{directory} has no weights",
            expected=" or ".join(WEIGHTS),
            remedy="finish the copy, or convert the weights to safetensors",
        )
    return _files(
        settings,
        name,
        revision,
        config["model_cfg"],
        config["preprocess_cfg"],
        weights,
        directory=directory,
    )


def _files(
    settings: OpenClipEncoderSettings,
    name: str,
    revision: str,
    model_cfg: Mapping[str, Any],
    preprocess_cfg: Mapping[str, Any],
    weights: Path,
    *,
    directory: Path | None = None,
) -> OpenClipFiles:
    tower = minilm.directory() if settings.text_tower == "minilm" else settings.text_tower
    keys = safetensors_keys(weights)
    config = with_local_text(model_cfg, tower, directory)
    if tower is not None:
        refuse_second_tower(keys)
    return OpenClipFiles(
        name,
        revision,
        config,
        _preprocessing(preprocess_cfg, config["vision_cfg"].get("image_size", 224)),
        weights,
        tower,
        adapter_of(directory) if tower is not None and directory is not None else None,
        settings.allow_download,
    )


def _read_config(directory: Path) -> dict[str, Any]:
    path = directory / CONFIG
    try:
        config = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"{path} cannot be read ({error})",
            expected="a directory in open_clip's format",
            remedy="check the path; a model by name needs no directory",
        ) from error
    model_cfg = config.get("model_cfg", {})
    missing = [key for key in ("embed_dim", "vision_cfg", "text_cfg") if key not in model_cfg]
    # without its own preprocessing a model would silently get another's: open_clip issue 1068
    if missing or "preprocess_cfg" not in config:
        raise WeightsError(
            f"{path} is incomplete",
            value=sorted(config),
            expected="model_cfg with embed_dim, vision_cfg and text_cfg, and preprocess_cfg",
            remedy="write the preprocessing that the model was trained with",
        )
    return dict(config)


def _preprocessing(preprocess_cfg: Mapping[str, Any], image_size: Any) -> dict[str, Any]:
    unknown = sorted(set(preprocess_cfg) - set(PREPROCESSING))
    size = _pair(image_size)
    given = preprocess_cfg.get("size") or size
    if unknown or _pair(given) != size:
        raise WeightsError(
            "preprocessing does not fit the model",
            value=dict(preprocess_cfg),
            expected=f"size {list(size)}, and no other keys than {', '.join(PREPROCESSING)}",
            remedy=f"correct preprocess_cfg in {CONFIG}",
        )
    given = {key: value for key, value in preprocess_cfg.items() if value is not None}
    merged = {**PREPROCESSING, **given, "size": size}
    return {key: tuple(v) if isinstance(v, list) else v for key, v in merged.items()}


def _pair(size: Any) -> tuple[int, ...]:
    return tuple(size) if isinstance(size, list | tuple) else (size, size)


def _by_name(settings: OpenClipEncoderSettings) -> OpenClipFiles:
    from open_clip.factory import get_model_config
    from open_clip.pretrained import list_pretrained_tags_by_model

    config = get_model_config(settings.model)
    if config is None:
        raise SettingsError(
            "open_clip knows no such model, and no such directory exists",
            value=settings.model,
            expected="a name such as ViT-B-32, hf-hub:organisation/model, or a directory",
            remedy="open_clip.list_models() lists the names",
        )
    if settings.pretrained is None:
        raise SettingsError(
            "a model by name needs weights",
            value=settings.model,
            expected="pretrained: a tag or a local safetensors file",
            remedy=f"tags: {', '.join(list_pretrained_tags_by_model(settings.model)) or 'none'}",
        )
    file = Path(settings.pretrained)
    if file.is_file():
        weights, revision = file, file.stem
        preprocess: dict[str, Any] = {}
    else:
        weights, preprocess, revision = _published(settings, config)
    return _files(settings, settings.model, revision, config, preprocess, weights)


def _published(
    settings: OpenClipEncoderSettings, config: dict[str, Any]
) -> tuple[Path, dict[str, Any], str]:
    """Weights file, preprocessing and tag of published weights; sets the activation they need."""
    from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

    published = get_pretrained_cfg(settings.model, settings.pretrained)
    if not published:
        raise SettingsError(
            f"open_clip has no such weights for {settings.model}",
            value=settings.pretrained,
            expected="a local file or one of "
            + ", ".join(list_pretrained_tags_by_model(settings.model)),
        )
    # open_clip only warns when a tag was trained with another activation than the name says
    config["quick_gelu"] = published.get("quick_gelu", config.get("quick_gelu", False))
    repository, _, filename = published["hf_hub"].rpartition("/")
    wanted = [filename.replace(".bin", ".safetensors")] if filename else list(WEIGHTS[:2])
    snapshot = hub_snapshot(repository, patterns=wanted, allow_download=settings.allow_download)
    weights = next((snapshot / name for name in wanted if (snapshot / name).is_file()), None)
    if weights is None:
        raise WeightsError(
            f"{repository} has no safetensors weights",
            value=settings.pretrained,
            expected=" or ".join(wanted),
            remedy="choose another tag, or convert the weights and give the file as pretrained",
        )
    keys = ("mean", "std", "interpolation", "resize_mode")
    preprocess = {key: published[key] for key in keys if key in published}
    return weights, preprocess, str(settings.pretrained)
