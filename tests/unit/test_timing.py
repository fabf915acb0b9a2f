from __future__ import annotations

import pytest

from coin_retrieval.timing import STAGES, Stopwatch


def test_every_stage_is_told_even_if_it_was_not_visited() -> None:
    assert tuple(Stopwatch().read_ms()) == STAGES


def test_a_stage_sums_its_visits_and_total_holds_them_all() -> None:
    watch = Stopwatch()
    readings = []
    for _ in range(2):
        with watch.stage("search"):
            sum(range(1000))
        readings.append(watch.read_ms())
    assert 0 < readings[0]["search"] < readings[1]["search"] <= readings[1]["total"]


def test_a_stage_that_fails_is_counted_too() -> None:
    watch = Stopwatch()
    with pytest.raises(ZeroDivisionError), watch.stage("encode"):
        _ = 1 / 0
    assert watch.read_ms()["encode"] > 0
