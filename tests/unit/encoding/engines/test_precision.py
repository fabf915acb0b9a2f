from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from coin_retrieval.encoding.engines import precision
from coin_retrieval.encoding.engines.precision import place

CPU = torch.device("cpu")


class Mean(nn.Module):
    """Channel means; the larger the constant, the less of them rounding leaves."""

    def __init__(self, constant: float) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.tensor(constant))

    def forward(self, batch: Tensor) -> Tensor:
        return (batch.mean(dim=(2, 3)) + self.constant) - self.constant


def embed(model: Any, batch: Tensor) -> Tensor:
    result: Tensor = model(batch)
    return result


@pytest.fixture(autouse=True)
def _hardware_with_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    """The choice must not depend on the machine that runs the test."""
    chosen = {"auto": torch.bfloat16, "float32": torch.float32, "bfloat16": torch.bfloat16}
    monkeypatch.setattr(precision, "pick_dtype", lambda dtype, _: chosen[dtype])


def test_half_precision_is_taken_where_it_keeps_the_space() -> None:
    model, dtype = place(Mean(0.0), embed, input_size=(3, 32, 32), dtype="auto", device=CPU)
    assert dtype == torch.bfloat16
    assert model.constant.dtype == torch.bfloat16


def test_float32_stays_where_half_precision_turns_the_embeddings() -> None:
    fragile = Mean(100.0)
    weights = copy.deepcopy(fragile.state_dict())
    model, dtype = place(fragile, embed, input_size=(3, 32, 32), dtype="auto", device=CPU)
    assert dtype == torch.float32
    torch.testing.assert_close(model.state_dict(), weights, rtol=0, atol=0)


def test_a_named_format_is_used_as_it_is() -> None:
    model, dtype = place(Mean(100.0), embed, input_size=(3, 8, 8), dtype="bfloat16", device=CPU)
    assert dtype == model.constant.dtype == torch.bfloat16


class Convolved(nn.Module):
    """Two convolutions and two batch norms, run as they are declared or crosswise."""

    def __init__(self, *, crosswise: bool) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first, self.first_norm = nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8)
        self.second, self.second_norm = nn.Conv2d(8, 8, 3), nn.BatchNorm2d(8)
        self.crosswise = crosswise
        for norm in (self.first_norm, self.second_norm):
            norm.running_mean = torch.randn(8, generator=generator)
            norm.running_var = torch.rand(8, generator=generator) + 0.5
        self.eval()

    def forward(self, batch: Tensor) -> Tensor:
        norms: list[nn.Module] = [self.first_norm, self.second_norm]
        first, second = reversed(norms) if self.crosswise else norms
        return second(self.second(first(self.first(batch)).relu())).mean(dim=(2, 3))


def norms_left(model: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in model.modules())


@pytest.mark.parametrize(("crosswise", "left"), [(False, 0), (True, 2)])
def test_batch_norms_are_folded_where_they_run_as_declared_and_vectors_stay(
    crosswise: bool, left: int
) -> None:
    pictures = torch.randn(2, 3, 16, 16)
    model = Convolved(crosswise=crosswise)
    before = model(pictures)
    placed, _ = place(model, embed, input_size=(3, 16, 16), dtype="float32", device=CPU)
    assert norms_left(placed) == left
    torch.testing.assert_close(placed(pictures), before, rtol=1e-4, atol=1e-5)
