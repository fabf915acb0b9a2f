"""Losses that no library has."""

from __future__ import annotations

from torch import Tensor


def multi_positive(logits: Tensor, positive: Tensor) -> Tensor:
    """Cross entropy of each row against the uniform distribution over its positives.

    Args:
        logits: [n n].
        positive: bool [n n]; rows without any positive do not count.
    """
    share = positive.float() / positive.sum(1, keepdim=True).clamp(min=1)
    rows = -(share * logits.log_softmax(1)).sum(1)
    counted = positive.any(1)
    return rows[counted].mean()
