"""Pickled weights, once, into a directory that loads safely: what many authors publish is no other.

A pickle can run code when it is read; here it is read with torch's restricted reader, which takes
tensors and plain containers alone, and never again afterwards.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from coin_retrieval.config import TimmEncoderSettings
from coin_retrieval.encoding.open_clip.files import CONFIG as OPEN_CLIP_CONFIG
from coin_retrieval.encoding.open_clip.files import WEIGHTS as OPEN_CLIP_WEIGHTS
from coin_retrieval.errors import SettingsError, WeightsError
from coin_retrieval.files import PARTIAL
from coin_retrieval.known_models import KnownModel
from coin_retrieval.nets.pretrained import refuse_mismatch

_WRAPPERS = ("state_dict", "model", "teacher")
_PREFIXES = ("module.", "backbone.")
_CHUNKED = re.compile(r"blocks\.\d+\.(\d+)\.")


def convert(model: KnownModel, source: Path, out: Path) -> Path:
    """Write ``source`` as the safetensors directory that ``--encoder NAME?model=OUT`` takes.

    Args:
        source: the file of weights as published; for open_clip models the other files of its
            folder (configuration, tokenizer) are copied.

    Raises:
        SettingsError: a model that needs no conversion or has none.
        WeightsError: a file that is no plain table of tensors, or one of another network.
    """
    if model.published_as != "pickle" or not model.settings:
        raise SettingsError(
            f"{model.name} has no conversion",
            value=model.name,
            expected="an encoder that is published as a pickle",
            remedy=model.remark or model.how_to_get,
        )
    if out.exists():
        raise SettingsError(
            "something is there already", value=str(out), expected="a new directory"
        )
    tensors = read_pickle(source)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        suffix=PARTIAL, dir=out.parent, ignore_cleanup_errors=True
    ) as aside:
        folder = Path(aside) / out.name
        folder.mkdir()
        if model.settings["backend"] == "open_clip":
            _write_open_clip(tensors, source.parent, folder)
        else:
            _write_timm(model, tensors, folder)
        folder.rename(out)
    return out


def read_pickle(path: Path) -> dict[str, Tensor]:
    """The tensors of a pickled checkpoint by name, wrappers and prefixes of trainings taken off.

    Raises:
        WeightsError: no such file, or one that holds more than tensors in plain containers.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError, ValueError) as error:
        raise WeightsError(
            f"weights cannot be read ({type(error).__name__})",
            value=str(path),
            expected="a torch checkpoint of tensors in plain containers",
            remedy="download it again; one with code in it is refused",
        ) from error
    for name in _WRAPPERS:
        if isinstance(content, Mapping) and isinstance(content.get(name), Mapping):
            content = content[name]
    if not isinstance(content, Mapping):
        raise WeightsError(
            "the checkpoint is no table of weights",
            value=type(content).__name__,
            expected="tensors by name",
            remedy="use the file that the model's card names",
        )
    tensors = {name: value for name, value in content.items() if isinstance(value, Tensor)}
    for prefix in _PREFIXES:
        if tensors and all(name.startswith(prefix) for name in tensors):
            tensors = {name.removeprefix(prefix): value for name, value in tensors.items()}
    # DINOv2's trainings group their blocks for sharding: blocks.GROUP.BLOCK
    return {_CHUNKED.sub(r"blocks.\1.", name): value for name, value in tensors.items()}


def _write_open_clip(tensors: Mapping[str, Tensor], beside: Path, folder: Path) -> None:
    if not (beside / OPEN_CLIP_CONFIG).is_file():
        raise WeightsError(
            "the model's configuration is not beside its weights",
            value=str(beside),
            expected=OPEN_CLIP_CONFIG,
            remedy="download the whole repository",
        )
    for file in sorted(beside.iterdir()):
        if file.suffix in (".json", ".txt", ".model"):
            shutil.copyfile(file, folder / file.name)
    # tensors that share memory are written once each: the reader knows no sharing
    save_file(
        {name: value.clone() for name, value in tensors.items()}, folder / OPEN_CLIP_WEIGHTS[0]
    )


def _write_timm(model: KnownModel, tensors: Mapping[str, Tensor], folder: Path) -> None:
    from timm.models import save_for_hf
    from timm.models.vision_transformer import checkpoint_filter_fn

    from coin_retrieval.encoding.timm.network import create

    settings = TimmEncoderSettings(**model.settings)
    network: Any = create(f"{model.architecture}", settings, num_classes=0)
    fitting = checkpoint_filter_fn(dict(tensors), network)
    own = network.state_dict()
    refuse_mismatch(
        model.title, missing=own.keys() - fitting.keys(), unexpected=fitting.keys() - own.keys()
    )
    shapes = [name for name in own if own[name].shape != fitting[name].shape]
    if shapes:
        raise WeightsError(
            f"weights do not fit {model.title}",
            value=", ".join(shapes[:8]),
            expected="the published shapes",
            remedy="use the file that the model's card names",
        )
    network.load_state_dict(fitting)
    seen = {
        "input_size": (3, model.pixels, model.pixels),
        "mean": settings.mean,
        "std": settings.std,
        "interpolation": model.interpolation,
        "crop_pct": 1.0,
    }
    save_for_hf(
        network,
        str(folder),
        model_args=dict(settings.model_args),
        safe_serialization=True,
        data_config=seen,
    )
