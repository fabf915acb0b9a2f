from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from coin_retrieval.evaluation.ranking import (
    accuracy_at,
    macro_interval,
    majority_vote_at,
    precision_at,
)

RELEVANT = np.array([[1, 0, 1, 0], [0, 0, 0, 1], [1, 1, 1, 1]], bool)


def test_precision_is_the_relevant_share_of_the_first_places() -> None:
    assert precision_at(RELEVANT, 2).tolist() == [0.5, 0.0, 1.0]


def test_accuracy_asks_for_one_relevant_place() -> None:
    assert accuracy_at(RELEVANT, 1).tolist() == [1.0, 0.0, 1.0]
    assert accuracy_at(RELEVANT, 4).tolist() == [1.0, 1.0, 1.0]


def test_a_tied_vote_goes_to_the_nearest_label() -> None:
    assert majority_vote_at([["b", "a", "a", "b"]], ["b"], 4).tolist() == [1.0]


def test_classes_count_the_same_however_many_queries_they_have() -> None:
    mean, low, high = macro_interval(np.array([1.0, 1.0, 1.0, 0.0]), ["a", "a", "a", "b"])
    assert (mean, low, high) == (0.5, 0.5, 0.5)


@given(arrays(np.float64, st.integers(4, 30), elements=st.floats(0, 1)))
def test_the_interval_holds_the_mean(values: np.ndarray) -> None:
    mean, low, high = macro_interval(
        values, ["a", "b"] * (len(values) // 2) + ["a"] * (len(values) % 2)
    )
    assert low - 1e-9 <= mean <= high + 1e-9
