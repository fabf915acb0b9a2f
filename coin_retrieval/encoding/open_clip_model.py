"""open_clip models from files of this machine: configuration, weights, preprocessing, tokenizer.

open_clip's own factory takes preprocessing from defaults when a model is loaded offline by name
(open_clip issue 1068), accepts pickles, and cannot leave a text tower out of the weights file; here
a directory says everything, and what does not fit is an error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from open_clip import CLIP, CoCa, CustomTextCLIP, SimpleTokenizer
from open_clip.factory import load_checkpoint
from open_clip.tokenizer import HFTokenizer
from open_clip.transform import PreprocessCfg, image_transform_v2
from torch import nn

from coin_retrieval.errors import WeightsError
from coin_retrieval.nets.pretrained import (
    digest_file,
    digest_files,
    loading,
    refuse_mismatch,
    safetensors_keys,
)
from coin_retrieval.types import content_digest

CONFIG = "open_clip_config.json"
WEIGHTS = (
    "open_clip_model.safetensors",
    "open_clip_pytorch_model.safetensors",
    "model.safetensors",
)
TOWER_PREFIX = "text.transformer."
"""Keys that a weights file leaves out when its text tower lies elsewhere."""

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "spiece.model")


@dataclass(frozen=True, slots=True)
class LoadedOpenClip:
    """A model in evaluation mode, float32 on the CPU, with what belongs to it.

    ``preprocess`` is the configuration that ``transform`` was made from; ``weights`` a SHA-256 over
    the weights file and the text tower's files.
    """

    model: nn.Module
    transform: Any
    tokenizer: Any
    dim: int
    preprocess: Mapping[str, Any]
    weights: str


def load_open_clip_directory(
    directory: Path, *, text_tower: Path | None = None, allow_download: bool = False
) -> LoadedOpenClip:
    """Load a directory in open_clip's format: ``open_clip_config.json`` and safetensors weights.

    Args:
        directory: its ``preprocess_cfg`` is used as it stands.
        text_tower: a Hugging Face directory that replaces the configuration's text tower and
            tokenizer; the weights file then holds every key but ``text.transformer.*``.
        allow_download: whether a text tower that the configuration names may come from the hub.

    Raises:
        WeightsError: files or keys that are missing or unexpected, or another image size.
    """
    config = _read_config(directory)
    weights = next((directory / name for name in WEIGHTS if (directory / name).is_file()), None)
    if weights is None:
        raise WeightsError(
            f"{directory} has no weights",
            expected=" or ".join(WEIGHTS),
            remedy="finish the copy, or convert the weights to safetensors",
        )
    return load_open_clip(
        config["model_cfg"],
        config["preprocess_cfg"],
        weights,
        text_tower=text_tower,
        directory=directory,
        allow_download=allow_download,
    )


def load_open_clip(
    model_cfg: Mapping[str, Any],
    preprocess_cfg: Mapping[str, Any],
    weights: Path,
    *,
    text_tower: Path | None = None,
    directory: Path | None = None,
    allow_download: bool = False,
) -> LoadedOpenClip:
    """Load a weights file into the model of a configuration; see :func:`load_open_clip_directory`.

    Raises:
        WeightsError: keys that are missing or unexpected, or another image size.
    """
    keys = safetensors_keys(weights)
    config = _with_local_text(model_cfg, text_tower, directory)
    with loading(allow_download=allow_download):
        model = build_open_clip(config)
        if text_tower is not None:
            _refuse_second_tower(keys)
        _load_strictly(model, weights, elsewhere=TOWER_PREFIX if text_tower else None)
        tokenizer = _tokenizer(config["text_cfg"])
    preprocess = _preprocessing(preprocess_cfg, model)
    parts = {"model": digest_file(weights)}
    if text_tower is not None:
        parts["text_tower"] = digest_files(_tower_files(text_tower))
    return LoadedOpenClip(
        model=model.eval(),
        transform=image_transform_v2(PreprocessCfg(**preprocess), is_train=False),
        tokenizer=tokenizer,
        dim=int(config["embed_dim"]),
        preprocess=preprocess,
        weights=content_digest(parts),
    )


def build_open_clip(model_cfg: Mapping[str, Any]) -> nn.Module:
    """The model of a configuration, as open_clip builds it.

    Its Hugging Face text tower, if it has one, carries weights where ``hf_model_pretrained`` is
    true; everything else is random.

    Raises:
        WeightsError: a configuration that open_clip does not know, or an incomplete text tower.
    """
    config = deepcopy(dict(model_cfg))
    custom_text = config.pop("custom_text", False)
    tower = config["text_cfg"].get("hf_model_name")
    kind = CoCa if "multimodal_cfg" in config else CustomTextCLIP if custom_text or tower else CLIP
    try:
        model: nn.Module = kind(**config)
    except (TypeError, KeyError, ValueError, RuntimeError, OSError) as error:
        raise WeightsError(
            f"open_clip cannot build this model ({error})",
            value={key: config[key] for key in ("embed_dim", "vision_cfg", "text_cfg")},
            expected="a model_cfg of open_clip",
            remedy=f"check {CONFIG}; a text tower that lies elsewhere is named by text_tower",
        ) from error
    if tower and config["text_cfg"].get("hf_model_pretrained"):
        _check_tower(model, Path(tower))
    return model


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


def _with_local_text(
    model_cfg: Mapping[str, Any], text_tower: Path | None, directory: Path | None
) -> dict[str, Any]:
    config = deepcopy(dict(model_cfg))
    config["vision_cfg"]["timm_model_pretrained"] = False
    text = config["text_cfg"]
    if text_tower is not None:
        if not text.get("hf_model_name"):
            raise WeightsError(
                "this model's text tower cannot be replaced",
                value=str(text_tower),
                expected="a model whose text_cfg has hf_model_name",
                remedy="leave text_tower out",
            )
        _tower_files(text_tower)
        text |= {"hf_model_name": str(text_tower), "hf_tokenizer_name": str(text_tower)}
        text["hf_model_pretrained"] = True
        return config
    if text.get("hf_model_name"):
        text["hf_model_pretrained"] = False
        if text["hf_model_name"] == "minilm":
            raise WeightsError(
                "this model was trained beside a text tower that is not in its directory",
                value="hf_model_name minilm",
                expected="text_tower: minilm",
                remedy="set text_tower",
            )
        if directory is not None and (directory / "config.json").is_file():
            text["hf_model_name"] = str(directory)
    if directory is not None and any((directory / name).is_file() for name in _TOKENIZER_FILES):
        text["hf_tokenizer_name"] = str(directory)
    return config


def _tower_files(tower: Path) -> dict[str, Path]:
    """The files that shape a text tower's output, by name."""
    names = ("config.json", "model.safetensors", *_TOKENIZER_FILES)
    files = {name: tower / name for name in names if (tower / name).is_file()}
    if "config.json" not in files or "model.safetensors" not in files:
        raise WeightsError(
            f"{tower} is no text tower",
            value=sorted(files),
            expected="config.json, model.safetensors and a tokenizer's files",
            remedy="give a directory in the format of transformers",
        )
    return files


def _check_tower(model: nn.Module, tower: Path) -> None:
    """Transformers fills what a file lacks with random numbers; here that is an error."""
    transformer = model.get_submodule(TOWER_PREFIX.removesuffix("."))
    prefix = f"{getattr(transformer, 'base_model_prefix', '')}."
    present = {key.removeprefix(prefix) for key in safetensors_keys(tower / "model.safetensors")}
    refuse_mismatch(f"the text tower {tower.name}", missing=set(transformer.state_dict()) - present)


def _refuse_second_tower(keys: set[str]) -> None:
    refuse_mismatch(
        "a model whose text tower lies elsewhere",
        unexpected={key for key in keys if key.startswith(TOWER_PREFIX)},
    )


def _load_strictly(model: nn.Module, weights: Path, *, elsewhere: str | None) -> None:
    try:
        result = load_checkpoint(model, str(weights), strict=False)
    except RuntimeError as error:
        raise WeightsError(
            f"weights do not fit the model ({error})",
            value=str(weights),
            expected="tensors of the model's own shapes",
            remedy="use the weights of this very configuration",
        ) from error
    missing = [key for key in result.missing_keys if not elsewhere or not key.startswith(elsewhere)]
    refuse_mismatch("the model", missing=missing, unexpected=result.unexpected_keys)


def _tokenizer(text_cfg: Mapping[str, Any]) -> Any:
    length = text_cfg.get("context_length", 77)
    options = dict(text_cfg.get("tokenizer_kwargs") or {})
    source = text_cfg.get("hf_tokenizer_name")
    if not source:
        return SimpleTokenizer(context_length=length, **options)
    try:
        return HFTokenizer(
            source,
            context_length=length,
            tokenizer_mode=text_cfg.get("tokenizer_mode"),
            **options,
        )
    except (OSError, ValueError) as error:
        raise WeightsError(
            f"the tokenizer cannot be loaded ({error})",
            value=str(source),
            expected="tokenizer files on this machine",
            remedy="put them into the model's directory, or allow the download",
        ) from error


def _preprocessing(preprocess_cfg: Mapping[str, Any], model: nn.Module) -> dict[str, Any]:
    known = asdict(PreprocessCfg())
    unknown = sorted(set(preprocess_cfg) - set(known))
    visual: Any = model.get_submodule("visual")
    size = list(visual.image_size)
    given = preprocess_cfg.get("size") or size
    if unknown or (given if isinstance(given, list) else [given] * 2) != size:
        raise WeightsError(
            "preprocessing does not fit the model",
            value=dict(preprocess_cfg),
            expected=f"size {size}, and no other keys than {', '.join(known)}",
            remedy=f"correct preprocess_cfg in {CONFIG}",
        )
    merged = known | {key: value for key, value in preprocess_cfg.items() if value is not None}
    merged["size"] = tuple(size)
    return {key: tuple(v) if isinstance(v, list) else v for key, v in merged.items()}
