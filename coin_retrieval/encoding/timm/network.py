"""A timm model's network from its files: a directory, the hub's, or a name with a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import get_pretrained_cfg, is_model

from coin_retrieval.config import TimmEncoderSettings
from coin_retrieval.errors import SettingsError, WeightsError
from coin_retrieval.nets.model_card import model_name
from coin_retrieval.nets.pretrained import (
    hub_snapshot,
    read_safetensors,
    refuse_mismatch,
    safetensors_keys,
)

HUB = "hf-hub:"
CONFIG, WEIGHTS = "config.json", "model.safetensors"


@dataclass(frozen=True, slots=True)
class LoadedTimm:
    """A network, and where it came from."""

    name: str
    revision: str
    model: torch.nn.Module
    weights: Path


def load_timm(settings: TimmEncoderSettings) -> LoadedTimm:
    """The network without its classifier, on the CPU.

    Raises:
        SettingsError: an unknown name, or arguments that the model does not take.
        WeightsError: files that are missing, do not fit, or would have to be downloaded.
    """
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
        return LoadedTimm(
            settings.model, settings.checkpoint.stem, _headless(model), settings.checkpoint
        )
    return _load_published(settings)


def _load_directory(settings: TimmEncoderSettings) -> LoadedTimm:
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
    return LoadedTimm(name, revision, _headless(model), weights)


def _load_published(settings: TimmEncoderSettings) -> LoadedTimm:
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
    return LoadedTimm(settings.model, snapshot.name, _headless(model), weights)


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
