"""Any timm model as an encoder of pictures: the vision-only models of pathology among them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from timm.data import create_transform, resolve_model_data_config

from coin_retrieval.config import TimmEncoderSettings
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.encoding.engines.precision import place
from coin_retrieval.encoding.preprocessing import BatchPreprocessing
from coin_retrieval.encoding.showing import shown
from coin_retrieval.encoding.timm.network import load_timm
from coin_retrieval.encoding.timm.pooling import PooledTokens
from coin_retrieval.errors import SettingsError
from coin_retrieval.files import digest_file
from coin_retrieval.nets.compute import pick_device
from coin_retrieval.nets.orientations import over_orientations
from coin_retrieval.nets.pretrained import loading
from coin_retrieval.types import EncoderSpec, Features, RgbImage, content_digest


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
            loaded = load_timm(settings)
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
            from coin_retrieval.encoding.engines.openvino import in_openvino

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
