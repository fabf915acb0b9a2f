from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from coin_retrieval.errors import WeightsError
from coin_retrieval.evaluation.pictures.inception import InceptionEncoder
from coin_retrieval.evaluation.pictures.spaces import open_space


class _Random(FeatureExtractorInceptionV3):
    """torch-fidelity's network with the weights it starts from."""

    def __init__(self) -> None:
        nothing = io.BytesIO()
        torch.save({}, nothing)
        nothing.seek(0)
        super().__init__("random", ["2048"], feature_extractor_weights_path=nothing)

    def load_state_dict(self, state_dict: Any, *_: Any, **__: Any) -> Any:
        return None


@pytest.fixture(scope="module")
def network() -> FeatureExtractorInceptionV3:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return _Random()


@pytest.fixture(scope="module")
def weights(network: FeatureExtractorInceptionV3, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("inception") / "inception.safetensors"
    save_file(network.state_dict(), path)
    return path


def test_features_are_torch_fidelitys_whatever_the_size_of_a_picture(
    network: FeatureExtractorInceptionV3, weights: Path
) -> None:
    random = np.random.default_rng(0)
    pictures = [random.integers(0, 255, (side, side, 3), np.uint8) for side in (24, 40)]
    with torch.inference_mode():
        truth = [
            network(torch.from_numpy(picture).permute(2, 0, 1)[None])[0].numpy()
            for picture in pictures
        ]
    features = InceptionEncoder(weights, device="cpu").features(pictures)
    assert features == pytest.approx(np.concatenate(truth), rel=1e-4, abs=1e-5)


def test_only_inception_is_called_fid(weights: Path, space: str) -> None:
    inception, other = open_space(f"inception?weights={weights}"), open_space(space)
    assert (inception.frechet_name, inception.kernel_name) == ("FID", "KID")
    assert other.frechet_name.startswith("FD-")
    assert other.kernel_name.startswith("KD-")


def test_without_weights_nothing_is_downloaded() -> None:
    with pytest.raises(WeightsError, match="need their weights"):
        open_space("inception")


def test_pickles_and_other_networks_are_refused(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="unsafe format"):
        InceptionEncoder(tmp_path / "weights.pth")
    other = tmp_path / "other.safetensors"
    save_file({"x": torch.zeros(1)}, other)
    with pytest.raises(WeightsError, match="not the weights"):
        InceptionEncoder(other)
