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

from open_clip import CLIP, CoCa, CustomTextCLIP
from open_clip.factory import load_checkpoint
from open_clip.transform import PreprocessCfg, image_transform_v2
from torch import nn

from coin_retrieval.encoding.open_clip_text import (
    TOWER_PREFIX,
    check_tower,
    make_tokenizer,
    refuse_second_tower,
    tower_files,
    with_local_text,
)
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
    config = with_local_text(model_cfg, text_tower, directory)
    with loading(allow_download=allow_download):
        model = build_open_clip(config)
        if text_tower is not None:
            refuse_second_tower(keys)
        _load_strictly(model, weights, elsewhere=TOWER_PREFIX if text_tower else None)
        tokenizer = make_tokenizer(config["text_cfg"])
    preprocess = _preprocessing(preprocess_cfg, model)
    parts = {"model": digest_file(weights)}
    if text_tower is not None:
        parts["text_tower"] = digest_files(tower_files(text_tower))
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
        check_tower(model, Path(tower))
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
