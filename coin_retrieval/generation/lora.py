"""LoRA weights into a diffusers pipeline, strictly: every key must reach a layer.

diffusers filters keys by prefix, skips layers that do not exist and drops DoRA scales, each with a
log line at most (diffusers issues 11790, 13188); a picture drawn without a part of its LoRA looks
plausible and is wrong. The keys of the file are therefore compared with the layers that exist after
loading.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coin_retrieval.errors import LoraError
from coin_retrieval.nets.pretrained import hub_snapshot, read_safetensors, safetensors_keys

if TYPE_CHECKING:
    from torch import Tensor

WEIGHTS = "pytorch_lora_weights.safetensors"
METADATA, BASE = "lora_adapter_metadata", "coin_base"
"""What a file's header says of the layers (diffusers' key), and of the base it was trained on."""
_TEXT_ENCODER = "text_encoder"
_MAX_LISTED = 12


def find_lora(lora: str, *, allow_download: bool) -> Path:
    """The safetensors file of a LoRA: a file, a directory with one such file, or a hub id.

    Raises:
        LoraError: a directory without exactly one such file.
        WeightsError: a hub repository that is not on this machine.
    """
    path = Path(lora)
    if path.is_file() or path.suffix == ".safetensors":
        return path
    if not path.is_dir():
        patterns = ["*.safetensors"]
        path = hub_snapshot(lora, patterns=patterns, allow_download=allow_download)
    files = sorted(path.glob("*.safetensors"))
    named = [file for file in files if file.name == WEIGHTS] or files
    if len(named) != 1:
        raise LoraError(
            "no single LoRA file",
            value=[file.name for file in files],
            expected=f"{WEIGHTS}, or one safetensors file",
            remedy="give the file's own path",
        )
    return named[0]


def require_base(file: Path, name: str, digest: Callable[[], str]) -> None:
    """Refuse a LoRA that ``coin train lora`` trained on another base than this one.

    A base of the same name is taken, though its weights be in another precision; so is a LoRA that
    does not say.

    Args:
        digest: of the base's U-Net; asked for only where names differ.

    Raises:
        LoraError: it is another's.
        WeightsError: the file is missing or damaged.
    """
    from safetensors import safe_open

    safetensors_keys(file)
    with safe_open(file, "np") as opened:
        said = (opened.metadata() or {}).get(BASE)
    trained_on = json.loads(said) if said else None
    if trained_on and trained_on["name"] != name and trained_on["unet"] != digest():
        raise LoraError(
            "this LoRA was trained on another base",
            value=f"{file.name}, trained on {trained_on['name']}",
            expected=f"one of {name}",
            remedy="draw with that base, or train a LoRA of this one (coin train lora)",
        )


def load_loras(pipeline: Any, loras: Sequence[tuple[Path, float]]) -> None:
    """Stack LoRAs, each a file with its scale; raises as :func:`load_lora`."""
    names = [f"lora_{number}" for number, _ in enumerate(loras)]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Already found a `peft_config`")
        for name, (file, _) in zip(names, loras, strict=True):
            load_lora(pipeline, file, name=name)
    if names:
        pipeline.set_adapters(names, adapter_weights=[scale for _, scale in loras])


def load_lora(pipeline: Any, file: Path, *, name: str) -> None:
    """``pipeline.load_lora_weights(file)``, refused unless each of its keys reached a layer.

    Raises:
        LoraError: keys that match no layer (listed), layers that the file fills by half, or a
            pipeline or file that diffusers refuses.
        WeightsError: the file is missing or damaged.
    """
    if not hasattr(pipeline, "load_lora_weights"):
        raise LoraError(
            "this pipeline takes no LoRA",
            value=type(pipeline).__name__,
            expected="a pipeline with load_lora_weights",
            remedy="leave lora out",
        )
    tensors = read_safetensors(file)
    try:
        wanted = _wanted(pipeline, tensors, file)
        pipeline.load_lora_weights(
            str(file.parent),
            weight_name=file.name,
            adapter_name=name,
            use_safetensors=True,
            local_files_only=True,
        )
    except (ValueError, RuntimeError, KeyError, IndexError, TypeError, AttributeError) as error:
        _refuse_unknown_modules(pipeline, tensors, file)
        raise LoraError(
            f"diffusers cannot load this LoRA ({type(error).__name__}: {error})",
            value=str(file),
            expected=f"a LoRA trained for {type(pipeline).__name__}",
            remedy="check that it belongs to this base model",
        ) from error
    injected = _injected(pipeline, name)
    _refuse(file, [wanted[key] for key in wanted.keys() - injected], "match no layer")
    _refuse(file, list(injected - wanted.keys()), "are missing beside their counterparts")


def _wanted(pipeline: Any, tensors: Mapping[str, Tensor], file: Path) -> dict[str, str]:
    """Layer names that the file's keys stand for, each with its key.

    Raises:
        LoraError: keys of a kind that diffusers drops.
    """
    scales = [key for key in tensors if "dora_scale" in key or "lora_magnitude" in key]
    _refuse(file, scales, "are DoRA scales, which diffusers drops")
    names = {id(tensor): key for key, tensor in tensors.items()}
    options = {"unet_config": pipeline.unet.config} if hasattr(pipeline, "unet") else {}
    converted = pipeline.lora_state_dict(dict(tensors), **options)
    states: Mapping[str, Tensor] = converted[0] if isinstance(converted, tuple) else converted
    keys = {key: names.get(id(tensor), key) for key, tensor in states.items()}
    wanted: dict[str, str] = {}
    for module in pipeline._lora_loadable_modules:
        own = {
            key.removeprefix(f"{module}."): name
            for key, name in keys.items()
            if key.startswith(f"{module}.")
        }
        if own and getattr(pipeline, module, None) is not None:
            peft = _peft_names(
                own, getattr(pipeline, module), text=module.startswith(_TEXT_ENCODER)
            )
            wanted |= {f"{module}.{key}": name for key, name in peft.items()}
    reached = set(wanted.values())
    return wanted | {name: name for name in keys.values() if name not in reached}


def _peft_names(keys: dict[str, str], module: Any, *, text: bool) -> dict[str, str]:
    """Keys in peft's spelling, by the very conversions that diffusers applies when it loads."""
    from diffusers.utils.state_dict_utils import (
        convert_state_dict_to_diffusers,
        convert_state_dict_to_peft,
        convert_unet_state_dict_to_peft,
    )

    if text:
        keys = convert_state_dict_to_peft(convert_state_dict_to_diffusers(keys))
        if not hasattr(module, "text_model"):
            keys = {key.removeprefix("text_model."): name for key, name in keys.items()}
        return keys
    if "lora_A" not in next(iter(keys)):
        return dict(convert_unet_state_dict_to_peft(keys))
    return keys


def _injected(pipeline: Any, adapter: str) -> set[str]:
    """Names of an adapter's tensors in the pipeline, spelled without the adapter's name."""
    return {
        f"{component}.{name.replace(f'.{adapter}', '')}"
        for component in pipeline._lora_loadable_modules
        if getattr(pipeline, component, None) is not None
        for name, _ in getattr(pipeline, component).named_parameters()
        if f".{adapter}." in f"{name}."
    }


def _refuse_unknown_modules(pipeline: Any, tensors: Mapping[str, Tensor], file: Path) -> None:
    known = tuple(f"{module}." for module in pipeline._lora_loadable_modules)
    if any(key.startswith(known) for key in tensors):
        _refuse(file, [key for key in tensors if not key.startswith(known)], "match no layer")


def _refuse(file: Path, keys: list[str], why: str) -> None:
    if keys:
        listed = ", ".join(sorted(keys)[:_MAX_LISTED]) + " …" * (len(keys) > _MAX_LISTED)
        raise LoraError(
            f"{len(keys)} LoRA keys {why}",
            value=listed,
            expected="every key to reach a layer of the pipeline",
            remedy=f"use a LoRA of this base model ({file.name}), or remove those keys from it",
        )
