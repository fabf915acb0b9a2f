"""Which pictures are drawn how often, so that the blood cells do not drown the cervix."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal

import numpy as np

from coin_retrieval.tables.cases import CaseRow


def balanced_weights(
    rows: Sequence[CaseRow], *, power: float, by: Literal["finding", "site"] = "finding"
) -> np.ndarray:
    """Sampling probabilities [n], summing to 1: a group of m pictures weighs m**power in all.

    A group is a finding in one stain and specimen, for the same finding looks otherwise in another;
    or a site. ``power`` 1 draws every picture equally often, 0 every group.
    """
    groups = [
        (row.site,) if by == "site" else (row.finding, row.stain, row.specimen) for row in rows
    ]
    sizes = Counter(groups)
    weights = np.array([sizes[group] ** (power - 1.0) for group in groups])
    probabilities: np.ndarray = weights / weights.sum()
    return probabilities
