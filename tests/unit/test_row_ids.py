from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from coin_retrieval.row_ids import GrowingRowIds, RowIds

NUMBERS = st.integers(-9, 9) | st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.lists(NUMBERS, max_size=9), max_size=12), st.lists(NUMBERS, max_size=9))
def test_numbers_that_came_in_parts_are_found_as_those_that_came_at_once(
    parts: list[list[int]], wanted: list[int]
) -> None:
    growing = GrowingRowIds()
    for part in parts:
        growing.add(np.array(part, np.int64))
    numbers = np.array([number for part in parts for number in part], np.int64)
    asked = np.array(wanted, np.int64)
    assert len(growing) == len(numbers)
    assert growing.ids.tolist() == numbers.tolist()
    found, expected = growing.all_rows(asked), RowIds(numbers).all_rows(asked)
    assert sorted(found.tolist()) == sorted(expected.tolist())
