from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import squeezenet1_1

from coin_retrieval.errors import WeightsError
from coin_retrieval.starter import ENCODER
from coin_retrieval.training.generator.perception import (
    FeatureCritic,
    SqueezeFeatures,
    TrunkFeatures,
    perceptual_distance,
    texture_distance,
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


def test_grain_at_another_place_is_alike_by_texture_and_smoothness_is_not(weights: Path) -> None:
    features = SqueezeFeatures(weights, zoom=1.0)
    torch.manual_seed(1)
    grain = torch.rand(4, 3, 96, 96).round() * 2 - 1
    seen = features(grain)
    moved = features(grain.roll((32, 32), (2, 3)))
    smooth = features(torch.nn.functional.avg_pool2d(grain, 9, 1, 4))
    assert float(texture_distance(seen, seen)) == 0
    assert texture_distance(moved, seen) < 0.2 * texture_distance(smooth, seen)
    assert perceptual_distance(moved, seen) > 0.5 * perceptual_distance(smooth, seen)


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


@pytest.fixture(scope="module")
def eyes() -> TrunkFeatures:
    return TrunkFeatures.of_encoder(ENCODER)


def test_an_encoders_eyes_see_at_four_depths_and_do_not_learn(eyes: TrunkFeatures) -> None:
    drawn = (torch.rand(1, 3, 64, 64) * 2 - 1).requires_grad_()
    seen = eyes(drawn)
    assert [part.shape[-1] for part in seen] == [32, 16, 8, 4]
    perceptual_distance(seen, eyes(torch.zeros(1, 3, 64, 64))).backward()
    assert drawn.grad is not None
    assert drawn.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in eyes.parameters())


def test_an_encoders_eyes_are_its_image_towers(eyes: TrunkFeatures) -> None:
    trunk = eyes.trunk
    assert isinstance(trunk, nn.Module)
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        # what a tower does after its last tap
        last = eyes(images)[-1]
        whole = trunk.forward_features(images)  # type: ignore[operator]
        rest = trunk.bn2(trunk.conv_head(trunk.blocks[5:](last)))  # type: ignore[operator,index]
    assert torch.allclose(rest, whole, atol=1e-4)


def test_an_encoder_without_such_a_tower_is_refused(tiny_open_clip_dir: Path) -> None:
    with pytest.raises(WeightsError, match="no EfficientNet"):
        TrunkFeatures.of_encoder(tiny_open_clip_dir)
