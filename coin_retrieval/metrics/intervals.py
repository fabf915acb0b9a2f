"""A figure with its 95 % interval, and the intervals that need no model. Pure functions."""

from __future__ import annotations

from math import sqrt

from pydantic import BaseModel, ConfigDict

_Z = 1.959964
"""Two-sided 95 % of the normal distribution."""


class Estimate(BaseModel):
    """A figure and its interval.

    An interval of no width is none: there were too few queries to tell it.
    """

    model_config = ConfigDict(frozen=True)

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        interval = "" if self.is_unknown else f" ({self.low:.3f}–{self.high:.3f})"
        return f"{self.mean:.3f}{interval}"

    @property
    def is_unknown(self) -> bool:
        """Whether there were too few queries for an interval."""
        return self.low == self.high

    @property
    def is_clear(self) -> bool:
        """Whether the interval is known, and holds no 0."""
        return not self.is_unknown and (self.low > 0 or self.high < 0)

    @property
    def signed(self) -> str:
        """As a difference, with its sign."""
        interval = "" if self.is_unknown else f" ({self.low:+.3f} to {self.high:+.3f})"
        return f"{self.mean:+.3f}{interval}"

    @property
    def signed_markdown(self) -> str:
        """As a difference; bold where it is clear."""
        return f"**{self.signed}**" if self.is_clear else self.signed


def wilson(share: float, n: float) -> tuple[float, float]:
    """The 95 % score interval of a share seen in ``n`` cases; ``n`` need not be whole.

    Wilson 1927, doi 10.1080/01621459.1927.10502953: unlike a bootstrap of none in thirty it claims
    no certainty.
    """
    spread = _Z**2 / n
    centre = (share + spread / 2) / (1 + spread)
    half = _Z / (1 + spread) * sqrt(max(share * (1 - share), 0.0) / n + spread / (4 * n))
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))
