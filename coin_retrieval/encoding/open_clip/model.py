"""open_clip models from files of this machine.

open_clip's own factory takes preprocessing from defaults when a model is loaded offline by name
(open_clip issue 1068), accepts pickles, and cannot leave a text tower out of the weights file; here
the files say everything, and what does not fit is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from open_clip import CLIP, CoCa, CustomTextCLIP
from open_clip.factory import load_checkpoint
from torch import nn
from transformers.initialization import no_init_weights

from coin_retrieval.encoding.engines.precision import place
from coin_retrieval.encoding.open_clip.files import CONFIG, OpenClipFiles
from coin_retrieval.encoding.open_clip.text_tower import TOWER_PREFIX
from coin_retrieval.errors import WeightsError
from coin_retrieval.nets.pretrained import loading, refuse_mismatch
from coin_retrieval.nets.towers import filled_tower
from coin_retrieval.types import Dtype


def load_open_clip(
    files: OpenClipFiles, *, dtype: Dtype, device: torch.device
) -> tuple[nn.Module, torch.dtype]:
    """The model in evaluation mode on its device, and its number format; see :func:`.place`.

    Raises:
        WeightsError: keys that are missing or unexpected.
    """
    with loading(allow_download=files.allow_download):
        model = build_open_clip(files.config)
        tower = files.text_tower
        _load_strictly(model, files.weights, elsewhere=TOWER_PREFIX if tower else None)
        text: Any = getattr(model, "text", None)
        empty = None
        if tower is not None:
            # it takes no part in the measurement, and may be here already in the format chosen
            empty, text.transformer = text.transformer, nn.Identity()
        model, chosen = place(
            model.eval(),
            lambda network, batch: network.encode_image(batch),
            input_size=(3, *files.preprocess["size"]),
            dtype=dtype,
            device=device,
        )
        if tower is not None:
            text.transformer = filled_tower(
                empty, tower, dtype=chosen, device=device, adapter=files.text_adapter
            )
    return model, chosen


def build_open_clip(model_cfg: Mapping[str, Any]) -> nn.Module:
    """The model of a configuration, as open_clip builds it, its weights not set.

    Raises:
        WeightsError: a configuration that open_clip does not know, or an incomplete text tower.
    """
    config = deepcopy(dict(model_cfg))
    custom_text = config.pop("custom_text", False)
    tower = config["text_cfg"].get("hf_model_name")
    kind = CoCa if "multimodal_cfg" in config else CustomTextCLIP if custom_text or tower else CLIP
    try:
        with no_init_weights():
            model: nn.Module = kind(**config)
    except (TypeError, KeyError, ValueError, RuntimeError, OSError) as error:
        raise WeightsError(
            f"open_clip cannot build this model ({error})",
            value={key: config[key] for key in ("embed_dim", "vision_cfg", "text_cfg")},
            expected="a model_cfg of open_clip",
            remedy=f"check {CONFIG}; a text tower that lies elsewhere is named by text_tower",
        ) from error
    return model


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
