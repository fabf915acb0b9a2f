from __future__ import annotations

import pytest
import torch

from coin_retrieval.nets import compute

CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("multiplies", "wanted", "expected"),
    [(True, True, torch.bfloat16), (True, False, torch.float32), (False, True, torch.float32)],
)
def test_products_are_in_half_precision_where_it_is_wanted_and_fast(
    monkeypatch: pytest.MonkeyPatch, *, multiplies: bool, wanted: bool, expected: torch.dtype
) -> None:
    monkeypatch.setattr(compute, "_cpu_multiplies_bf16", lambda: multiplies)
    with compute.mixed_precision(CPU, wanted=wanted):
        product = torch.ones(2, 2) @ torch.ones(2, 2)
    assert product.dtype == expected
