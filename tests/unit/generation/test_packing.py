from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from coin_retrieval.config import DiffusersGeneratorSettings
from coin_retrieval.generation import packing
from coin_retrieval.generation.diffusers import DiffusersGenerator
from coin_retrieval.generation.packing import pack, packs
from coin_retrieval.types import ReportSource

CPU = torch.device("cpu")

multiplies_bf16 = pytest.mark.skipif(
    not packs(torch.bfloat16, CPU), reason="this processor multiplies no bfloat16"
)


def layers() -> nn.Sequential:
    torch.manual_seed(0)
    convolution = nn.Conv2d(32, 64, 3, padding=1, stride=2).to(memory_format=torch.channels_last)
    return nn.Sequential(convolution, nn.Flatten(2), nn.Linear(64, 96, bias=False)).bfloat16()


@multiplies_bf16
@pytest.mark.parametrize("count", [1, 3])
def test_packed_layers_compute_what_plain_ones_do(count: int) -> None:
    plain, packed = layers(), layers()
    pack(packed)
    inputs = torch.randn(count, 32, 16, 16, dtype=torch.bfloat16)
    with torch.inference_mode():
        packed(inputs[:1])  # the size that decides how they are packed
        torch.testing.assert_close(packed(inputs), plain(inputs))


@multiplies_bf16
def test_the_layers_own_weights_are_given_up() -> None:
    packed = layers()
    pack(packed)
    with torch.inference_mode():
        packed(torch.randn(1, 32, 16, 16, dtype=torch.bfloat16))
    assert packed[0].weight.numel() == packed[2].weight.numel() == 0


@multiplies_bf16
@pytest.mark.parametrize("name", packing._OPERATORS)
def test_layers_stay_plain_where_torchs_operators_are_called_otherwise(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(*_: object) -> None:
        raise RuntimeError(f"mkldnn::{name}() expected at most 2 argument(s)")

    monkeypatch.setattr(torch.ops.mkldnn, name, other)
    plain, packed = layers(), layers()
    pack(packed)
    inputs = torch.randn(1, 32, 16, 16, dtype=torch.bfloat16)
    with torch.inference_mode():
        for _ in range(2):
            torch.testing.assert_close(packed(inputs), plain(inputs))
    kind = 0 if "convolution" in name else 2
    assert packed[kind].weight.numel() > 0


@pytest.mark.parametrize("gone", [*packing._OPERATORS, "_is_mkldnn_bf16_supported"])
def test_a_torch_without_the_operators_packs_nothing(
    gone: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Operators:
        def __getattr__(self, name: str) -> object:
            if name == gone:
                raise AttributeError(name)
            return lambda *_: True

    monkeypatch.setattr(torch.ops, "mkldnn", Operators())
    assert not packs(torch.bfloat16, CPU)


def test_a_processor_that_multiplies_no_bfloat16_packs_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    assert not packs(torch.bfloat16, CPU)


@multiplies_bf16
def test_a_packed_pipeline_draws_what_it_draws_unpacked(tiny_sdxl_dir: Path) -> None:
    fields = {"model": str(tiny_sdxl_dir), "steps": 2, "device": "cpu", "dtype": "bfloat16"}
    plain, packed = (
        DiffusersGenerator(DiffusersGeneratorSettings(**fields, fused=fused))
        for fused in (False, True)
    )
    one, other = (
        next(iter(generator.draw(generator.plan(ReportSource("nuclei"), n=1)))).image
        for generator in (plain, packed)
    )
    assert packed._pipeline.unet.conv_in.weight.numel() == 0
    assert np.abs(one.astype(int) - other).mean() < 2


def test_other_formats_are_left_to_torch() -> None:
    assert not packs(torch.float32, CPU)
    assert not packs(torch.bfloat16, torch.device("cuda"))
