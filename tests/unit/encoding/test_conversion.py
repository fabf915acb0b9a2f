from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch

from coin_retrieval.config import TimmEncoderSettings
from coin_retrieval.encoding.conversion import convert, read_pickle
from coin_retrieval.encoding.timm.encoder import TimmEncoder
from coin_retrieval.errors import SettingsError, WeightsError
from coin_retrieval.known_models import KnownModel, known_models
from coin_retrieval.testing.encoder_suite import pictures

ARGUMENTS = {"init_values": 1.0, "mlp_ratio": 4.0, "mlp_layer": "SwiGLUPacked", "act_layer": "SiLU"}
TINY = KnownModel(
    **known_models()["crown"].model_dump()
    | {
        "architecture": "test_vit",
        "pixels": 160,
        "settings": {
            "backend": "timm",
            "model": "hf-hub:nobody/tiny",
            "model_args": ARGUMENTS,
            "mean": (0.5, 0.4, 0.3),
            "std": (0.2, 0.2, 0.2),
            "pooling": "class",
        },
    }
)


@pytest.fixture
def network() -> Any:
    torch.manual_seed(1)
    layers = {"mlp_layer": timm.layers.SwiGLUPacked, "act_layer": torch.nn.SiLU}
    network = timm.create_model("test_vit", num_classes=0, **(ARGUMENTS | layers))
    return network.eval()


def as_dinov2_publishes(network: Any) -> dict[str, torch.Tensor]:
    """Its names: fused feed-forward layers, blocks in groups of four, a mask token."""
    tensors = {"mask_token": torch.zeros(1, 64)}
    for name, value in network.state_dict().items():
        theirs = name.replace("mlp.fc1", "mlp.w12").replace("mlp.fc2", "mlp.w3")
        grouped = re.sub(r"blocks\.(\d+)\.", lambda m: f"blocks.{int(m[1]) // 4}.{m[1]}.", theirs)
        tensors[grouped] = value
    return tensors


def test_a_pickle_in_dinov2s_names_embeds_as_before(network: Any, tmp_path: Path) -> None:
    torch.save({"model": as_dinov2_publishes(network)}, tmp_path / "published.pth")
    folder = convert(TINY, tmp_path / "published.pth", tmp_path / "converted")
    fields = TINY.settings | {"model": str(folder), "dtype": "float32", "device": "cpu"}
    ours = TimmEncoder(TimmEncoderSettings(**fields))
    shown = pictures([(160, 160), (64, 90)])
    with torch.inference_mode():
        expected = network.forward_features(ours._preprocess(shown))[:, 0].numpy()
    np.testing.assert_allclose(ours.features(shown), expected, atol=1e-5)
    plain = np.full((160, 160, 3), 255, np.uint8)
    seen = ours._preprocess([plain])[0, :, 0, 0].numpy()
    np.testing.assert_allclose(seen, [(1 - 0.5) / 0.2, (1 - 0.4) / 0.2, (1 - 0.3) / 0.2], rtol=1e-5)


def test_weights_of_another_network_are_refused_and_leave_nothing(
    network: Any, tmp_path: Path
) -> None:
    tensors = as_dinov2_publishes(network)
    del tensors["norm.weight"]
    torch.save(tensors, tmp_path / "published.pth")
    with pytest.raises(WeightsError, match="weights do not fit"):
        convert(TINY, tmp_path / "published.pth", tmp_path / "converted")
    assert [path.name for path in tmp_path.iterdir()] == ["published.pth"]


class Harmful:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("import pathlib; pathlib.Path('harmed').touch()",))


def test_a_pickle_with_code_in_it_runs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.pth").write_bytes(pickle.dumps(Harmful()))
    with pytest.raises(WeightsError, match="cannot be read"):
        read_pickle(tmp_path / "evil.pth")
    assert not (tmp_path / "harmed").exists()


def test_what_is_published_safely_needs_no_conversion(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no conversion"):
        convert(known_models()["phikon"], tmp_path / "x.bin", tmp_path / "out")
