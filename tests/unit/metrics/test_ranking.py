from __future__ import annotations

import numpy as np
import pytest

from coin_retrieval.metrics.ranking import (
    accuracy_at,
    average_precision_at,
    majority_vote_at,
    ndcg_at,
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


def test_a_vote_without_anything_found_is_wrong() -> None:
    assert majority_vote_at([[]], ["b"], 4).tolist() == [0.0]


def test_relevant_cases_that_were_not_found_lower_average_precision() -> None:
    found = average_precision_at(RELEVANT, np.array([2, 2, 4]), 4)
    assert found == pytest.approx([(1 + 2 / 3) / 2, (1 / 4) / 2, 1.0])


def test_a_class_with_fewer_cases_than_places_can_still_be_perfect() -> None:
    perfect = np.array([[1, 1, 0, 0]], bool)
    assert average_precision_at(perfect, np.array([2]), 4).tolist() == [1.0]
    assert ndcg_at(perfect, np.array([2]), 4).tolist() == [1.0]


def test_a_query_with_nothing_to_find_counts_as_zero() -> None:
    nothing = np.zeros((1, 4), bool)
    assert average_precision_at(nothing, np.array([0]), 4).tolist() == [0.0]
    assert ndcg_at(nothing, np.array([0]), 4).tolist() == [0.0]


def test_a_relevant_case_gains_less_the_later_it_comes() -> None:
    found = ndcg_at(np.eye(4, dtype=bool), np.ones(4, int), 4)
    assert found == pytest.approx(1 / np.log2([2, 3, 4, 5]))
