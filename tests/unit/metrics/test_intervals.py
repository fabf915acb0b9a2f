from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from coin_retrieval.metrics.intervals import Estimate, wilson


@given(st.integers(1, 200), st.integers(0, 200))
def test_the_interval_of_a_share_is_scipys_wilson(n: int, seen: int) -> None:
    seen = min(seen, n)
    expected = binomtest(seen, n).proportion_ci(method="wilson")
    assert wilson(seen / n, n) == pytest.approx((expected.low, expected.high), abs=1e-6)


@pytest.mark.parametrize(
    ("low", "high", "written"),
    [
        (0.1, 0.3, "**+0.200 (+0.100 to +0.300)**"),
        (-0.3, -0.1, "**-0.200 (-0.300 to -0.100)**"),
        (-0.1, 0.3, "+0.100 (-0.100 to +0.300)"),
        (0.0, 0.2, "+0.100 (+0.000 to +0.200)"),
    ],
)
def test_a_difference_is_bold_where_its_interval_holds_no_zero(
    low: float, high: float, written: str
) -> None:
    assert Estimate(mean=(low + high) / 2, low=low, high=high).signed_markdown == written
