"""A text tower's LoRA beside the model that was trained with it, merged when the tower loads.

The folder is in peft's format (``adapter_config.json``, ``adapter_model.safetensors``), so that
``peft.PeftModel.from_pretrained(tower, folder)`` takes it too; merging needs no peft.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from coin_retrieval.errors import WeightsError
from coin_retrieval.nets.pretrained import read_safetensors, refuse_mismatch

FOLDER = "text_adapter"
"""Its name in a model's directory."""
_CONFIG, _WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PREFIX, _DOWN, _UP = "base_model.model.", ".lora_A.weight", ".lora_B.weight"


def adapter_of(directory: Path) -> Path | None:
    """The adapter in a model's directory, if it has one."""
    folder = directory / FOLDER
    return folder if folder.is_dir() else None


def adapter_files(folder: Path) -> dict[str, Path]:
    """What shapes the adapted tower's output, by name."""
    return {f"{FOLDER}/{name}": folder / name for name in (_CONFIG, _WEIGHTS)}


def merge(tower: Any, folder: Path) -> None:
    """Add an adapter to a tower's weights: W + alpha / r · B A (arXiv 2106.09685, equation 3).

    Raises:
        WeightsError: damaged files, or an adapter of another tower.
    """
    import torch

    scale = _scale(folder / _CONFIG)
    tensors = read_safetensors(folder / _WEIGHTS)
    own = dict(tower.named_parameters())
    names = {
        key: key.removeprefix(_PREFIX).removesuffix(_DOWN) + ".weight"
        for key in tensors
        if key.endswith(_DOWN)
    }
    pairs = {key.removesuffix(_DOWN) + _UP for key in names}
    refuse_mismatch(
        f"the text adapter {folder.name}",
        missing=pairs - set(tensors),
        unexpected={k for k, name in names.items() if name not in own}
        | (set(tensors) - set(names) - pairs),
    )
    for key, name in names.items():
        down, up = tensors[key].float(), tensors[key.removesuffix(_DOWN) + _UP].float()
        if (len(up), down.shape[1]) != tuple(own[name].shape):
            raise WeightsError(
                f"the text adapter {folder.name} is of another tower",
                value=f"{name}: {len(up)} × {down.shape[1]}",
                expected=" × ".join(map(str, own[name].shape)),
            )
        with torch.no_grad():
            own[name].add_((scale * up @ down).to(own[name].dtype))


def _scale(file: Path) -> float:
    try:
        config = json.loads(file.read_text("utf-8"))
        return float(config["lora_alpha"]) / float(config["r"])
    except (OSError, ValueError, KeyError, ZeroDivisionError) as error:
        raise WeightsError(
            f"{file} cannot be used ({type(error).__name__})",
            expected="peft's configuration of a LoRA, with r and lora_alpha",
            remedy="finish the copy of the model",
        ) from error
