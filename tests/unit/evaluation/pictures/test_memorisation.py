from __future__ import annotations

import numpy as np
import pytest

from coin_retrieval.evaluation.pictures.memorisation import (
    MemorisationFigures,
    measure_memorisation,
    to_markdown,
)


def measured(
    generated: np.ndarray, *, held_out: np.ndarray | None = None, training_seed: int = 0
) -> MemorisationFigures:
    training = np.random.default_rng(training_seed).normal(size=(400, 8)).astype(np.float32)
    unseen = np.random.default_rng(1).normal(size=(400, 8)).astype(np.float32)
    return measure_memorisation(
        generated,
        training,
        unseen if held_out is None else held_out,
        generated_names=[f"g{i}" for i in range(len(generated))],
        training_names=[f"t{i}" for i in range(len(training))],
        encoder="gaussian",
    )


def fresh(n: int) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(n, 8)).astype(np.float32)


def test_an_honest_generator_lies_below_the_threshold_as_rarely_as_real_pictures() -> None:
    found = measured(fresh(2000))
    assert found.share_below == pytest.approx(0.01, abs=0.01)
    assert found.interval[0] <= found.share_below <= found.interval[1]
    assert found.median_generated == pytest.approx(found.median_held_out, rel=0.1)


def test_copies_are_found_and_lead_the_list() -> None:
    training = np.random.default_rng(0).normal(size=(400, 8)).astype(np.float32)
    generated = np.concatenate([fresh(90), training[:10]])
    found = measured(generated)
    assert found.share_below >= 0.1
    assert [(p.generated, p.training, p.distance) for p in found.closest] == [
        (f"g{90 + i}", f"t{i}", 0.0) for i in range(10)
    ]
    assert {pair.nearer_than_held_out for pair in found.closest} == {1.0}


def test_the_closest_ten_pairs_are_given_nearest_first() -> None:
    found = measured(fresh(50))
    distances = [pair.distance for pair in found.closest]
    assert distances == sorted(distances)
    assert len(distances) == 10


def test_no_copy_among_many_still_has_an_upper_bound() -> None:
    found = measured(fresh(100) + np.float32(30))
    assert found.share_below == 0
    # Wilson's upper bound for 0 of 100
    assert found.interval == (0.0, pytest.approx(0.0370, abs=1e-3))


def test_a_leak_between_training_and_held_out_is_told() -> None:
    training = np.random.default_rng(0).normal(size=(400, 8)).astype(np.float32)
    found = measured(fresh(20), held_out=np.concatenate([training[:5], fresh(200)]))
    assert found.held_out_copies == 5
    assert any("5 held-out pictures equal" in note for note in found.notes)


def test_too_few_held_out_pictures_are_told() -> None:
    found = measured(fresh(20), held_out=fresh(30))
    assert any("30 held-out" in note for note in found.notes)


def test_the_table_states_the_share_its_interval_and_every_pair() -> None:
    found = measured(fresh(200))
    table = to_markdown(found)
    assert f"**{found.share_below:.2%}**" in table
    assert all(f"| {pair.generated} | {pair.training} |" in table for pair in found.closest)
