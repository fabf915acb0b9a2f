from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coin_retrieval.calibrating.choice import (
    choose,
    cross_validated,
    macro,
    stratified_folds,
    too_few,
)
from coin_retrieval.errors import InputError

CLASSES = ["a"] * 10 + ["b"] * 5


@given(st.integers(2, 5), st.integers(0, 100))
def test_every_class_is_spread_over_the_folds(folds: int, seed: int) -> None:
    fold = stratified_folds(CLASSES, [str(i) for i in range(15)], folds=folds, seed=seed)
    for name in "ab":
        inside = fold[np.array(CLASSES) == name]
        counts = np.bincount(inside, minlength=folds)
        assert counts.max() - counts.min() <= 1


@given(st.integers(0, 100))
def test_queries_of_one_case_stay_together(seed: int) -> None:
    units = [str(i // 3) for i in range(15)]
    fold = stratified_folds(CLASSES, units, folds=4, seed=seed)
    for unit in set(units):
        assert len({int(f) for f, u in zip(fold, units, strict=True) if u == unit}) == 1


@pytest.mark.parametrize(("folds", "units"), [(1, 15), (16, 15), (2, 1)])
def test_folds_without_a_query_are_refused(folds: int, units: int) -> None:
    with pytest.raises(InputError, match="divided"):
        stratified_folds(CLASSES, [str(i % units) for i in range(15)], folds=folds)


def test_the_macro_average_counts_classes_alike() -> None:
    values = np.array([[1.0] * 10 + [0.0] * 5])
    assert macro(values, CLASSES) == pytest.approx([0.5])


def test_the_best_candidate_is_taken_however_dear() -> None:
    simple = np.array([0.5] * 15)
    assert choose(np.array([simple + 0.01, simple]), CLASSES, [(2,), (1,)]) == 0


def test_of_equal_candidates_the_simplest_is_taken() -> None:
    values = np.array([[0.6, 0.4] * 7 + [0.6]] * 3)
    assert choose(values, CLASSES, [(2,), (1,), (3,)]) == 1


def test_few_reports_or_few_of_a_class_are_told_with_what_is_needed() -> None:
    names = [str(i) for i in range(60)]
    assert "12 independent reports" in too_few(["a", "b"] * 6, names[:12])
    assert "3 of the smallest" in too_few(["a"] * 50 + ["b"] * 3, names[:53])
    assert not too_few(["a", "b"] * 20, names[:40])
    assert "at least 40" in too_few(["a", "b"] * 20, ["one case", "another"] * 20)


def test_a_figure_is_measured_on_queries_that_had_no_say_in_the_choice() -> None:
    # each candidate is perfect on one half of the queries and useless on the other
    fold = np.array([0, 1] * 7 + [0])
    values = np.array([fold == 0, fold == 1], np.float64)
    measured, chosen = cross_validated(values, CLASSES, fold, [(1,), (1,)])
    assert chosen == [1, 0]
    assert not measured.any()


def test_luck_among_many_candidates_is_not_reported_as_skill() -> None:
    random = np.random.default_rng(0)
    values = random.uniform(0, 1, (300, 15))
    fold = stratified_folds(CLASSES, [str(i) for i in range(15)], folds=5)
    measured, _ = cross_validated(values, CLASSES, fold, [(1,)] * 300)
    assert macro(values, CLASSES).max() > 0.65
    assert macro(measured[None], CLASSES)[0] < 0.65
