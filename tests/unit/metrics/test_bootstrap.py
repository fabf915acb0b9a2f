from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from coin_retrieval.metrics import bootstrap
from coin_retrieval.metrics.bootstrap import macro_draws, macro_interval


def test_classes_count_the_same_however_many_queries_they_have() -> None:
    found = macro_interval(np.array([1.0, 1.0, 1.0, 0.0]), ["a", "a", "a", "b"])
    assert (found.mean, found.low, found.high) == (0.5, 0.5, 0.5)


@given(arrays(np.float64, st.integers(4, 30), elements=st.floats(0, 1)))
def test_the_interval_holds_the_mean_of_its_draws(values: np.ndarray) -> None:
    classes = ["a", "b"] * (len(values) // 2) + ["a"] * (len(values) % 2)
    found = macro_interval(values, classes)
    drawn = macro_draws(values, classes)
    assert found.low - 1e-9 <= drawn.mean() <= found.high + 1e-9


def test_the_interval_is_as_wide_as_the_standard_error_says() -> None:
    values = np.random.default_rng(0).normal(size=400)
    found = macro_interval(values, ["a"] * 400)
    assert found.high - found.low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.1)


def test_pictures_of_one_case_are_drawn_together() -> None:
    values = np.repeat([0.0, 1.0], 50)
    cases = ["first"] * 50 + ["second"] * 50
    alone = macro_interval(values, ["a"] * 100)
    together = macro_interval(values, ["a"] * 100, cases=cases)
    assert (together.low, together.high) == (0.0, 1.0)
    assert together.mean == alone.mean == 0.5
    assert alone.low > 0.35


def test_a_case_counts_once_a_query_it_has() -> None:
    found = macro_interval(
        np.array([1.0, 1.0, 1.0, 0.0]), ["a"] * 4, cases=["big", "big", "big", "small"]
    )
    assert found.mean == 0.75
    drawn = macro_draws(np.array([1.0, 1.0, 1.0, 0.0]), ["a"] * 4, cases=["b", "b", "b", "s"])
    assert set(np.unique(drawn)) == {0.0, 0.75, 1.0}


def test_the_same_difference_everywhere_is_certain_although_the_modes_are_not() -> None:
    worse = np.random.default_rng(1).uniform(size=60)
    better = worse + 0.01
    classes = ["a", "b", "c"] * 20
    difference = macro_interval(better - worse, classes)
    assert difference.low == pytest.approx(0.01)
    alone = macro_interval(worse, classes)
    assert alone.high - alone.low > 0.05


def test_a_seed_gives_the_same_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(2).uniform(size=30)
    once = macro_draws(values, ["a"] * 30, seed=3)
    assert np.array_equal(once, macro_draws(values, ["a"] * 30, seed=3))
    # in blocks, for large archives, the numbers are the same
    monkeypatch.setattr(bootstrap, "_CELLS", 70)
    assert np.array_equal(once, macro_draws(values, ["a"] * 30, seed=3))
