from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coin_retrieval.encoding.base import unit_rows
from coin_retrieval.ranking.diversity import diversify, repeats
from coin_retrieval.types import Embeddings


def rows_of(count: int, seed: int = 0) -> Embeddings:
    return unit_rows(np.random.default_rng(seed).normal(size=(count, 6)).astype(np.float32))


def always(first: int, second: int) -> bool:
    return True


sizes = st.integers(1, 12)


@given(sizes, st.integers(1, 12), st.floats(0, 1), st.integers(0, 5))
def test_diversity_lists_k_different_places_and_the_most_relevant_first(
    count: int, k: int, diversity: float, seed: int
) -> None:
    relevance = sorted(np.random.default_rng(seed).random(count), reverse=True)
    chosen = diversify(relevance, rows_of(count, seed), k, diversity=diversity)
    assert len(set(chosen)) == len(chosen) == min(k, count)
    assert chosen[0] == 0


@given(sizes, st.integers(0, 5))
def test_no_diversity_keeps_the_order_of_relevance(count: int, seed: int) -> None:
    relevance = np.linspace(1, 0, count).tolist()
    assert diversify(relevance, rows_of(count, seed), count, diversity=0) == list(range(count))


def test_a_copy_of_what_is_listed_comes_after_something_else() -> None:
    rows = unit_rows(np.array([[1, 0, 0], [1, 0.01, 0], [0.6, 0, 0.8]], np.float32))
    assert diversify([0.9, 0.89, 0.7], rows, 2, diversity=0.6) == [0, 2]
    assert diversify([0.9, 0.89, 0.7], rows, 2, diversity=0.1) == [0, 1]


def test_the_first_is_the_most_relevant_wherever_it_stands() -> None:
    assert diversify([0.2, 0.9, 0.5], rows_of(3), 1, diversity=1) == [1]


def two_alike() -> Embeddings:
    """Cosines 0.9 of the first two, 0.8 of each with the third."""
    cosines = np.array([[1, 0.9, 0.8], [0.9, 1, 0.8], [0.8, 0.8, 1]])
    return unit_rows(np.linalg.cholesky(cosines))


def test_relevance_and_likeness_weigh_by_their_ranges_not_by_their_sizes() -> None:
    relevance = [0.52, 0.51, 0.50]  # in their ranges: 1, 1/2, 0; and likeness 1, 0
    assert diversify(relevance, two_alike(), 2, diversity=0.3) == [0, 1]
    assert diversify(relevance, two_alike(), 2, diversity=0.4) == [0, 2]


def test_of_equally_relevant_rows_the_most_different_comes_next() -> None:
    assert diversify([0.5, 0.5, 0.5], two_alike(), 3, diversity=0.5) == [0, 2, 1]


def test_each_next_one_is_the_best_of_all_that_are_left() -> None:
    rows = rows_of(40, seed=2)
    relevance = np.sort(np.random.default_rng(3).random(40))[::-1]
    likeness = (rows @ rows.T).astype(np.float64)
    apart = ~np.eye(40, dtype=bool)
    low, high = likeness[apart].min(), likeness[apart].max()
    likeness = (likeness - low) / (high - low)
    wanted = (relevance - relevance.min()) / (relevance.max() - relevance.min())
    chosen = [0]
    while len(chosen) < 40:
        left = [place for place in range(40) if place not in chosen]
        worth = [0.4 * wanted[place] - 0.6 * likeness[place, chosen].max() for place in left]
        chosen.append(left[int(np.argmax(worth))])
    assert diversify(relevance.tolist(), rows, 40, diversity=0.6) == chosen


def test_of_no_rows_none_is_chosen() -> None:
    assert diversify([], np.empty((0, 6), np.float32), 3, diversity=0.5) == []


@given(st.lists(st.sampled_from("ABC"), max_size=12), st.integers(1, 4))
def test_what_is_folded_repeats_a_listed_picture_of_another_case(
    owners: list[str], cases: int
) -> None:
    rows = np.tile(rows_of(1), (len(owners), 1))
    for place, before in repeats(rows, owners, always, cases=cases).items():
        assert before < place
        assert owners[before] != owners[place]


def test_a_repeated_picture_is_folded_under_the_first() -> None:
    rows = rows_of(3)[[0, 1, 0, 0]]
    assert repeats(rows, ["A", "B", "C", "A"], always, cases=9) == {2: 0}


def test_near_embeddings_are_not_enough() -> None:
    rows = rows_of(1)[[0, 0]]
    assert repeats(rows, ["A", "B"], lambda first, second: False, cases=9) == {}


def test_pictures_whose_embeddings_differ_are_not_looked_at() -> None:
    rows = unit_rows(np.eye(2, dtype=np.float32))
    assert repeats(rows, ["A", "B"], always, cases=9) == {}


def test_the_walk_ends_when_enough_cases_are_listed() -> None:
    asked: list[int] = []

    def same(first: int, second: int) -> bool:
        asked.append(second)
        return False

    repeats(rows_of(1)[[0] * 5], list("ABCDE"), same, cases=2)
    assert max(asked) == 1
