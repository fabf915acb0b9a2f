from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from coin_retrieval.config import TimmEncoderSettings
from coin_retrieval.encoding.timm.encoder import TimmEncoder
from coin_retrieval.errors import SettingsError
from coin_retrieval.testing.encoder_suite import pictures

REGISTERS = {"reg_tokens": 2, "num_classes": 0}


def encoder(checkpoint: Path, **settings: Any) -> TimmEncoder:
    fields = {"model": "test_vit", "dtype": "float32", "device": "cpu", "checkpoint": checkpoint}
    return TimmEncoder(TimmEncoderSettings(**(fields | {"model_args": REGISTERS} | settings)))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    torch.manual_seed(5)
    model = timm.create_model("test_vit", **REGISTERS)
    save_file(dict(model.state_dict()), tmp_path / "vit.safetensors")
    return tmp_path / "vit.safetensors"


def test_registers_belong_to_neither_the_class_token_nor_the_mean(checkpoint: Path) -> None:
    shown = pictures([(64, 48)])
    both = encoder(checkpoint, pooling="class+mean")
    tokens = both._model.network.forward_features(both._preprocess(shown)).detach().numpy()
    features = both.features(shown)
    assert features.shape == (1, 2 * tokens.shape[2])
    expected = np.concatenate([tokens[:, 0], tokens[:, 3:].mean(1)], axis=1)
    np.testing.assert_allclose(features, expected, atol=1e-5)


def test_each_pooling_is_a_space_of_its_own(checkpoint: Path) -> None:
    specs = {encoder(checkpoint, pooling=pooling).spec for pooling in (None, "class", "mean")}
    assert len(specs) == 3


def test_a_network_without_tokens_cannot_be_pooled(tmp_path: Path) -> None:
    save_file(
        dict(timm.create_model("test_resnet", num_classes=7).state_dict()),
        tmp_path / "net.safetensors",
    )
    with pytest.raises(SettingsError, match="no tokens"):
        encoder(
            tmp_path / "net.safetensors",
            model="test_resnet",
            model_args={"num_classes": 7},
            pooling="class",
        )
