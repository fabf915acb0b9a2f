from __future__ import annotations

import numpy as np
import pytest

from coin_retrieval.metrics.instances import (
    aggregated_jaccard,
    centroid_f1,
    centroids,
    decode,
    dice,
    distance_map,
    matched,
    measure,
)


def discs(*places: tuple[float, float, float], side: int = 64) -> np.ndarray:
    """Instances of discs (x, y, radius)."""
    rows, columns = np.indices((side, side))
    found = np.zeros((side, side), np.int32)
    for number, (x, y, radius) in enumerate(places, start=1):
        found[np.hypot(columns - x, rows - y) <= radius] = number
    return found


TOUCHING = discs((20, 30, 9), (36, 30, 9), (50, 52, 6))


def test_nuclei_that_touch_are_decoded_apart() -> None:
    again = decode((TOUCHING > 0).astype(int), distance_map(TOUCHING))
    assert again.max() == 3
    assert aggregated_jaccard(again, TOUCHING) > 0.9
    assert centroid_f1(centroids(again), centroids(TOUCHING), within_px=3) == 1


def test_a_nucleus_whose_distance_map_is_flat_is_one_all_the_same() -> None:
    assert decode(discs((30, 30, 8)), np.zeros((64, 64))).max() == 1


def test_specks_are_no_nuclei_and_nothing_decodes_to_nothing() -> None:
    assert decode(discs((30, 30, 1)), np.zeros((64, 64))).max() == 0
    assert decode(np.zeros((64, 64), int), np.zeros((64, 64))).max() == 0


def test_a_distance_map_is_1_in_every_nucleus_s_middle_and_0_outside() -> None:
    found = distance_map(TOUCHING)
    assert all(found[n == TOUCHING].max() == 1 for n in (1, 2, 3))
    assert found[TOUCHING == 0].max() == 0


def test_measures_are_in_micrometres_where_the_scale_is_known() -> None:
    disc = discs((30, 30, 10))
    cell = np.where(disc > 0, 1, 0)
    cell[10:50, 10:50] = np.maximum(cell[10:50, 10:50], 2 - cell[10:50, 10:50])
    measured = measure(disc, cell, mpp_um=0.5)
    assert (measured.count, measured.unit) == (1, "µm")
    assert measured.diameter == pytest.approx(10, rel=0.03)
    assert measured.nc_ratio == pytest.approx(np.count_nonzero(disc) / 1600)
    assert measure(disc).nc_ratio is None


def test_crowded_nuclei_are_told_from_scattered_ones() -> None:
    crowded = measure(discs((20, 20, 5), (31, 20, 5), (20, 31, 5)))
    scattered = measure(discs((10, 10, 5), (50, 10, 5), (10, 50, 5)))
    assert (crowded.crowding, scattered.crowding) == (1, 0)


def test_a_point_is_matched_once() -> None:
    asked = np.array([[10.0, 10.0], [40.0, 40.0]])
    found = np.array([[11.0, 10.0], [12.0, 10.0], [60.0, 60.0]])
    assert matched(found, asked, within_px=6) == 1
    assert centroid_f1(found, asked, within_px=6) == pytest.approx(2 / 5)
    assert centroid_f1(found[:0], asked[:0], within_px=6) == 1


def test_aggregated_jaccard_counts_what_nobody_drew_and_what_nobody_has() -> None:
    true = discs((20, 20, 8), (45, 45, 8))
    assert aggregated_jaccard(true, true) == 1
    assert aggregated_jaccard(discs((20, 20, 8)), true) == pytest.approx(0.5, abs=0.01)
    assert aggregated_jaccard(true, discs((20, 20, 8))) == pytest.approx(0.5, abs=0.01)
    assert aggregated_jaccard(np.zeros_like(true), true) == 0


def test_dice_of_halves() -> None:
    mask = np.zeros((4, 4), bool)
    mask[:2] = True
    assert dice(mask, mask) == 1
    assert dice(mask, ~mask) == 0
    assert dice(mask & False, mask & False) == 1
