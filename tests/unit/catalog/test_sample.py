from __future__ import annotations

import numpy as np

from coin_retrieval.catalog.base import drawn


def test_a_sample_does_not_depend_on_the_order_and_is_spread_over_all() -> None:
    ids = np.arange(100_000)
    found = drawn(ids, 1000)
    assert found.tolist() == drawn(ids[::-1], 1000).tolist()
    tenths = np.bincount(found // 10_000, minlength=10)
    assert tenths.min() > 60
    assert tenths.max() < 140
    assert np.bincount(found % 2).min() > 400
