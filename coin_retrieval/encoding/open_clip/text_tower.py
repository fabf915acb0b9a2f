"""The text tower of an open_clip model: in the model's own directory, or elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

from coin_retrieval.errors import WeightsError
from coin_retrieval.nets.pretrained import refuse_mismatch

TOWER_PREFIX = "text.transformer."
"""Keys that a weights file leaves out when its text tower lies elsewhere."""

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "spiece.model")


def with_local_text(
    model_cfg: Mapping[str, Any], text_tower: Path | None, directory: Path | None
) -> dict[str, Any]:
    """A model's configuration, its text tower and tokenizer named by where they lie here.

    Raises:
        WeightsError: a tower that is missing, or given to a model that has its own.
    """
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
        tower_files(text_tower)
        text |= {"hf_model_name": str(text_tower), "hf_tokenizer_name": str(text_tower)}
        text["hf_model_pretrained"] = False
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


def tower_files(tower: Path) -> dict[str, Path]:
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


def refuse_second_tower(keys: set[str]) -> None:
    """Refuse a weights file that would overwrite the tower that was named.

    Raises:
        WeightsError: the file has such keys.
    """
    refuse_mismatch(
        "a model whose text tower lies elsewhere",
        unexpected={key for key in keys if key.startswith(TOWER_PREFIX)},
    )


def make_tokenizer(text_cfg: Mapping[str, Any]) -> Any:
    """The tokenizer of a configuration.

    Raises:
        WeightsError: its files are not here.
    """
    from open_clip.tokenizer import HFTokenizer, SimpleTokenizer

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
