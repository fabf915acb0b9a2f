"""Any timm model as an encoder of pictures: the vision-only models of pathology among them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from numpy.typing import NDArray
from timm.data import create_transform, resolve_model_data_config
from timm.models import get_pretrained_cfg, is_model

from coin_retrieval.config import TimmEncoderSettings
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.encoding.pooling import PooledTokens
from coin_retrieval.encoding.precision import place
from coin_retrieval.encoding.preprocessing import BatchPreprocessing
from coin_retrieval.encoding.showing import shown
from coin_retrieval.errors import SettingsError, WeightsError
from coin_retrieval.files import digest_file
from coin_retrieval.nets.compute import pick_device
from coin_retrieval.nets.model_card import model_name
from coin_retrieval.nets.orientations import over_orientations
from coin_retrieval.nets.pretrained import (
    hub_snapshot,
    loading,
    read_safetensors,
    refuse_mismatch,
    safetensors_keys,
)
from coin_retrieval.types import EncoderSpec, Features, RgbImage, content_digest

HUB = "hf-hub:"
CONFIG, WEIGHTS = "config.json", "model.safetensors"


class TimmEncoder(Encoder):
    """Pooled features of a timm model (Wightman 2019, doi 10.5281/zenodo.4414861)."""

    def __init__(self, settings: TimmEncoderSettings) -> None:
        """Load the model.

        Raises:
            SettingsError: an unknown name, arguments that the model does not take, or a picture
                size that does not fit it.
            WeightsError: files that are missing, do not fit, or would have to be downloaded.
        """
        self._device, self._turns = pick_device(settings.device), settings.orientations
        self._stain_map = settings.stain_map
        with loading():
            loaded = _load(settings)
        config = _data_config(loaded.model, settings)
        model = loaded.model
        if settings.pooling is not None:
            model = PooledTokens(model, settings.pooling)
        model = model.eval().to(self._device)
        dim = _dim(model, config["input_size"], self._device)
        self._model, self._dtype = place(
            model,
            lambda network, batch: network(batch),
            input_size=config["input_size"],
            dtype=settings.dtype,
            device=self._device,
        )
        if settings.engine == "openvino":
            from coin_retrieval.encoding.openvino import in_openvino

            self._model = in_openvino(
                self._model,
                lambda network, batch: network(batch),
                input_size=config["input_size"],
                dtype=self._dtype,
                device=self._device,
            )
            self._dtype = torch.float32
        self._preprocess = BatchPreprocessing(create_transform(**config, is_training=False))
        self.spec = EncoderSpec(
            name=loaded.name,
            revision=loaded.revision,
            dim=dim,
            preprocessing=content_digest(config),
            weights=content_digest(_shaping(settings) | {"model": digest_file(loaded.weights)}),
        )

    def features(self, images: Sequence[RgbImage], *, batch_size: int = 32) -> Features:
        """Raw pooled features; see :class:`.SupportsFeatures`.

        Raises:
            ImageError: an array that is not uint8 [h w 3].
        """
        return self._raw(images, batch_size)

    def _shown(self, image: RgbImage) -> RgbImage:
        return shown(image, self._stain_map)

    @torch.inference_mode()
    def _embed(self, images: Sequence[RgbImage]) -> NDArray[np.float32]:
        batch = self._preprocess(images).to(self._device, self._dtype)
        features = over_orientations(self._model, batch, self._turns)
        embedded: NDArray[np.float32] = features.cpu().numpy()
        return embedded


def _shaping(settings: TimmEncoderSettings) -> dict[str, Any]:
    """What shapes the space beside the weights."""
    chosen = {"pooling", "orientations", "stain_map"}
    return {"arguments": settings.model_args} | settings.model_dump(
        include=chosen, exclude_defaults=True
    )


@dataclass(frozen=True, slots=True)
class _Loaded:
    name: str
    revision: str
    model: torch.nn.Module
    weights: Path


def _load(settings: TimmEncoderSettings) -> _Loaded:
    directory = Path(settings.model)
    if settings.model.startswith(HUB) or directory.is_dir():
        if settings.checkpoint is not None:
            raise SettingsError(
                "a directory or hub model has its own weights",
                value=str(settings.checkpoint),
                expected="no checkpoint beside it",
                remedy="leave checkpoint out, or give the architecture's name as model",
            )
        return _load_directory(settings)
    if not is_model(settings.model):
        raise SettingsError(
            "timm knows no such model, and no such directory exists",
            value=settings.model,
            expected="a name such as resnet18, hf-hub:organisation/model, or a directory",
            remedy="timm.list_models() lists the names",
        )
    if (settings.checkpoint is None) == (not settings.pretrained):
        raise SettingsError(
            "a model by name needs weights from one place",
            value=settings.model,
            expected="either checkpoint (a local safetensors file) or pretrained: true",
        )
    if settings.checkpoint is not None:
        model = create(settings.model, settings)
        _fill(model, settings.checkpoint)
        return _Loaded(
            settings.model, settings.checkpoint.stem, _headless(model), settings.checkpoint
        )
    return _load_published(settings)


def _load_directory(settings: TimmEncoderSettings) -> _Loaded:
    directory, revision = Path(settings.model), ""
    name = model_name(directory) if directory.is_dir() else settings.model.removeprefix(HUB)
    if not directory.is_dir():
        directory = hub_snapshot(
            name, patterns=[CONFIG, WEIGHTS], allow_download=settings.allow_download
        )
        revision = directory.name
    weights = directory / WEIGHTS
    safetensors_keys(weights)
    if not (directory / CONFIG).is_file():
        raise WeightsError(
            f"{directory} is not in timm's format",
            value=sorted(path.name for path in directory.iterdir()),
            expected=f"{CONFIG} and {WEIGHTS}",
            remedy="save the model with timm.models.save_for_hf",
        )
    model = create(f"local-dir:{directory}", settings, pretrained=True)
    return _Loaded(name, revision, _headless(model), weights)


def _load_published(settings: TimmEncoderSettings) -> _Loaded:
    published = get_pretrained_cfg(settings.model)
    if published is None or not published.hf_hub_id:
        raise SettingsError(
            "timm publishes no weights under this name",
            value=settings.model,
            expected="a name with pretrained weights",
            remedy="give a local safetensors file as checkpoint",
        )
    filename = published.hf_hub_filename or WEIGHTS
    snapshot = hub_snapshot(
        published.hf_hub_id, patterns=[filename], allow_download=settings.allow_download
    )
    weights = snapshot / filename
    safetensors_keys(weights)
    # timm's own reader renames and reshapes what was published in another library's format
    overlay = {"file": str(weights)}
    model = create(settings.model, settings, pretrained=True, pretrained_cfg_overlay=overlay)
    return _Loaded(settings.model, snapshot.name, _headless(model), weights)


def create(name: str, settings: TimmEncoderSettings, **options: Any) -> torch.nn.Module:
    """A network by timm's name, with the settings' arguments.

    Raises:
        SettingsError: arguments that it does not take.
        WeightsError: published weights that do not fit them.
    """
    try:
        arguments = {key: _layer(key, value) for key, value in settings.model_args.items()}
        model: torch.nn.Module = timm.create_model(name, **options, **arguments)
    except (TypeError, RuntimeError, ValueError, AssertionError, KeyError, OSError) as error:
        kind = WeightsError if options.get("pretrained") else SettingsError
        raise kind(
            f"timm cannot build this model ({error})",
            value={"model": settings.model, "model_args": settings.model_args},
            expected="arguments that the model takes, and weights that fit it",
            remedy="correct model_args",
        ) from error
    return model


def _layer(argument: str, value: str | float) -> Any:
    """Layers are named in settings; timm takes some of them as classes only."""
    if not argument.endswith("_layer") or not isinstance(value, str):
        return value
    return getattr(timm.layers, value, None) or getattr(torch.nn, value, value)


def _fill(model: torch.nn.Module, checkpoint: Path) -> None:
    tensors = read_safetensors(checkpoint)
    own = model.state_dict()
    refuse_mismatch(
        "the model", missing=set(own) - set(tensors), unexpected=set(tensors) - set(own)
    )
    shapes = [
        f"{key} {tuple(tensors[key].shape)} for {tuple(own[key].shape)}"
        for key in own
        if tensors[key].shape != own[key].shape
    ]
    if shapes:
        raise WeightsError(
            "weights do not fit the model's shapes",
            value=shapes[:8],
            expected="the model's own shapes",
            remedy="a classifier's size is model_args: num_classes",
        )
    model.load_state_dict(tensors)


def _headless(model: Any) -> torch.nn.Module:
    if model.num_classes:
        model.reset_classifier(0)
    headless: torch.nn.Module = model
    return headless


def _data_config(model: torch.nn.Module, settings: TimmEncoderSettings) -> dict[str, Any]:
    overrides: dict[str, Any] = {"mean": settings.mean, "std": settings.std}
    if settings.image_size_px is not None:
        overrides["input_size"] = (3, settings.image_size_px, settings.image_size_px)
    config: dict[str, Any] = resolve_model_data_config(model, args=overrides)
    return config


@torch.inference_mode()
def _dim(model: torch.nn.Module, input_size: tuple[int, ...], device: torch.device) -> int:
    try:
        shape = tuple(model(torch.zeros((1, *input_size), device=device)).shape)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise SettingsError(
            f"the model does not take pictures of this size ({error})",
            value=list(input_size),
            expected="the size that the model was built for",
            remedy="set image_size_px, or build the model for it (model_args: img_size)",
        ) from error
    if len(shape) != 2:
        raise SettingsError(
            "the model gives no pooled features",
            value=list(shape),
            expected="one vector a picture",
            remedy="set pooling (class, mean or class+mean), or model_args: global_pool",
        )
    return int(shape[1])
