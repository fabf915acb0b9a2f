"""Inception-v3 as FID knows it: the network of 2015 with its own resizing, by torch-fidelity."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from coin_retrieval.encoding.base import Encoder
from coin_retrieval.errors import WeightsError
from coin_retrieval.evaluation.extras import require
from coin_retrieval.files import digest_file
from coin_retrieval.nets.compute import pick_device
from coin_retrieval.nets.pretrained import read_safetensors
from coin_retrieval.types import EncoderSpec, Features, RgbImage, content_digest

_DIM = 2048
_RESIZING = "TensorFlow 1 bilinear to 299 px, (x - 128) / 128"


class InceptionEncoder(Encoder):
    """Pool features of Inception-v3 (Szegedy et al. 2015, arXiv 1512.00567), as FID defines them.

    Network and resizing are torch-fidelity's (Obukhov et al. 2020, doi 10.5281/zenodo.4957738).
    """

    def __init__(self, weights: Path, *, device: str = "auto") -> None:
        """Load torch-fidelity's weights, converted to safetensors.

        Raises:
            WeightsError: missing, no safetensors, or not of this network.
            MissingDependencyError: torch-fidelity is not installed.
        """
        require("torch_fidelity", "Inception features")
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        # the constructor unpickles whatever file it is given: it gets a buffer of checked tensors
        checked = io.BytesIO()
        torch.save(read_safetensors(weights), checked)
        checked.seek(0)
        self._device = pick_device(device)
        try:
            self._model = FeatureExtractorInceptionV3(
                "inception-v3-compat", [str(_DIM)], feature_extractor_weights_path=checked
            ).to(self._device)
        except RuntimeError as error:
            raise WeightsError(
                f"not the weights of FID's Inception-v3 ({error})",
                value=str(weights),
                expected="torch-fidelity's weights-inception-2015-12-05, as safetensors",
            ) from error
        self.spec = EncoderSpec(
            name="inception-v3-compat",
            revision="2015-12-05",
            dim=_DIM,
            preprocessing=content_digest({"resizing": _RESIZING}),
            weights=digest_file(weights),
        )

    def features(self, images: Sequence[RgbImage], *, batch_size: int = 32) -> Features:
        """Raw pool features, float32 [n 2048]; see :class:`.SupportsFeatures`."""
        return self._raw(images, batch_size)

    @torch.inference_mode()
    def _embed(self, images: Sequence[RgbImage]) -> NDArray[np.float32]:
        # the network resizes by itself, so pictures of different sizes cannot share a batch
        alike = len({image.shape for image in images}) == 1
        batches = [np.stack(images)] if alike else [image[None] for image in images]
        rows = []
        for batch in batches:
            pixels = torch.from_numpy(np.ascontiguousarray(batch)).permute(0, 3, 1, 2)
            (pooled,) = self._model(pixels.to(self._device))
            rows.append(pooled.float().cpu().numpy())
        features: NDArray[np.float32] = np.concatenate(rows)
        return features
