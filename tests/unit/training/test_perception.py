from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import squeezenet1_1

from coin_retrieval.errors import WeightsError
from coin_retrieval.training.perception import (
    FeatureCritic,
    SqueezeFeatures,
    perceptual_distance,
)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "squeezenet.safetensors"
    save_file(squeezenet1_1(weights=None).state_dict(), path)
    return path


def test_a_picture_is_at_no_distance_from_itself_and_farther_the_more_it_is_blurred(
    weights: Path,
) -> None:
    features = SqueezeFeatures(weights)
    image = torch.rand(1, 3, 64, 64) * 2 - 1
    blurred = [
        torch.nn.functional.avg_pool2d(image, size, 1, size // 2, count_include_pad=False)
        for size in (3, 9)
    ]
    seen = features(image)
    distances = [float(perceptual_distance(features(b), seen)) for b in blurred]
    assert float(perceptual_distance(seen, seen)) == 0
    assert 0 < distances[0] < distances[1]


def test_what_is_compared_can_learn_and_the_network_itself_cannot(weights: Path) -> None:
    features = SqueezeFeatures(weights)
    drawn = (torch.rand(1, 3, 64, 64) * 2 - 1).requires_grad_()
    perceptual_distance(features(drawn), features(torch.zeros(1, 3, 64, 64))).backward()
    assert drawn.grad is not None
    assert drawn.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in features.parameters())


def test_the_critic_scores_every_depth(weights: Path) -> None:
    features = SqueezeFeatures(weights)
    scores = FeatureCritic(features.channels, width=8)(features(torch.zeros(2, 3, 64, 64)))
    assert len(scores) == len(features.channels)
    assert all(score.shape[:2] == (2, 1) for score in scores)


def test_another_networks_weights_are_refused(tmp_path: Path) -> None:
    save_file({"layer.weight": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(WeightsError, match="SqueezeNet"):
        SqueezeFeatures(tmp_path / "other.safetensors")
