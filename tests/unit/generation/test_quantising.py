from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from coin_retrieval.config import DiffusersGeneratorSettings
from coin_retrieval.errors import MissingDependencyError, SettingsError
from coin_retrieval.generation import quantising
from coin_retrieval.generation.diffusers import DiffusersGenerator
from coin_retrieval.generation.quantising import quantise
from coin_retrieval.types import ReportSource

CPU = torch.device("cpu")


class Network(nn.Module):
    def __init__(self, width: int = 640) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.transformer_blocks = nn.ModuleList([nn.Linear(width, width)])
        self.time = nn.Linear(width, width)


def test_without_torchao_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchao.quantization", None)
    with pytest.raises(MissingDependencyError, match=r"coin-retrieval\[quantised\]"):
        quantise(Network(), "int8", CPU)


def test_transformer_layers_keep_8_bits_and_others_stay() -> None:
    pytest.importorskip("torchao")
    network = Network().bfloat16().requires_grad_(False)
    inputs = torch.randn(77, 640, dtype=torch.bfloat16)
    (layer,) = network.transformer_blocks
    with torch.inference_mode():
        exact = layer(inputs).float()
        quantise(network, "int8", CPU)
        rounded = layer(inputs).float()
    assert 0 < (rounded - exact).std() < 0.03 * exact.std()
    assert type(layer.weight) is not nn.Parameter
    assert type(network.time.weight) is nn.Parameter


def test_a_network_without_wide_layers_is_refused() -> None:
    pytest.importorskip("torchao")
    with pytest.raises(SettingsError, match="worth 8 bits"):
        quantise(Network(width=64), "int8", CPU)


def test_8_bit_floats_are_for_gpus_that_multiply_them() -> None:
    pytest.importorskip("torchao")
    with pytest.raises(SettingsError, match=r"8\.9"):
        quantise(Network(), "fp8", CPU)


def test_a_pipeline_in_8_bits_draws_nearly_what_it_draws_without(
    tiny_sdxl_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torchao")
    monkeypatch.setattr(quantising, "_LEAST", 32)
    fields = {"model": str(tiny_sdxl_dir), "steps": 2, "device": "cpu", "fused": True}
    plain, rounded = (
        DiffusersGenerator(DiffusersGeneratorSettings(**fields, quantised=how))
        for how in (None, "int8")
    )
    one, other = (
        next(iter(generator.draw(generator.plan(ReportSource("nuclei"), n=1)))).image
        for generator in (plain, rounded)
    )
    kinds = {type(weight) for weight in rounded._pipeline.unet.parameters()}
    assert kinds > {nn.Parameter}
    assert np.abs(one.astype(int) - other).mean() < 4
    assert rounded.identity != plain.identity
