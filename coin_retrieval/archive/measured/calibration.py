"""What an archive knows of its own searches: which mode finds best, and what is no close match.

Everything here is measured on this archive with its own encoder; none of it is needed to search.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import floor

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from coin_retrieval.config import FusionSettings
from coin_retrieval.metrics.intervals import Estimate, wilson
from coin_retrieval.types import SearchMode

FALSE_ALARM_RATE = 0.05
"""How many of the queries that do have a match may be told that they have none."""

PLACES = 3
"""A query's closeness is the mean similarity of so many first cases: one case may be a chance."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class CloseMatch(_Part):
    """From which similarity on a query has a close match.

    A query's score is the mean similarity of its first ``places`` cases; below ``threshold`` there
    is no close match. ``false_alarm_rate`` is the expected share of queries that do have matches
    and fall below nevertheless; ``queries`` is on how many it was estimated. It is no more than a
    ``bound`` where no reports of other people set it but the archive's own, each left out in turn:
    then one of its own kind is missing, and it is harder to tell.
    """

    threshold: float
    false_alarm_rate: float = Field(ge=0, le=1)
    queries: int = Field(ge=1)
    places: int = Field(default=PLACES, ge=1)
    bound: bool = False

    @property
    def false_alarms(self) -> Estimate:
        """The rate, and where that of a threshold from so many queries lies.

        Over samples of n it follows Beta(r, n + 1 − r), r of which fall below (Vovk, Asian
        Conference on Machine Learning 2012); its middle 95 %, by Wilson's interval.
        """
        low, high = wilson(self.false_alarm_rate, self.queries)
        return Estimate(mean=self.false_alarm_rate, low=low, high=high)

    @property
    def false_alarm_words(self) -> str:
        """The rate in words."""
        found = self.false_alarms
        at_most = "at most about " if self.bound else "about "
        return f"{at_most}{found.mean:.1%} ({found.low:.1%} to {found.high:.1%})"


class Calibration(_Part):
    """What ``coin calibrate`` chose for an archive, on which queries, and how good it was.

    ``figures`` are cross-validated macro P@10, by mode and ``calibrated`` for the choice among
    them. ``generator`` is the identity of the generator that drew, and ``generator_name`` its name
    for people: with another one the choice says nothing. ``images`` is how many the archive held.
    ``close_match`` is the threshold that these reports set, whatever the mode, and ``known`` the
    digest of the known reports that they were compared with.
    """

    created_at: AwareDatetime
    queries: int = Field(ge=1)
    by: str
    mode: SearchMode
    fusion: FusionSettings
    prototypes: int = Field(ge=1)
    figures: dict[str, float]
    generator: str
    generator_name: str = ""
    images: int = Field(ge=1)
    where: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    close_match: CloseMatch | None = None
    known: str = ""


def close_match_from(
    scores: Iterable[float],
    *,
    false_alarm_rate: float = FALSE_ALARM_RATE,
    places: int = PLACES,
    bound: bool = False,
) -> CloseMatch:
    """The threshold that at most ``false_alarm_rate`` of new queries like these fall below.

    Of n exchangeable scores the r-th smallest is undercut by a new one with probability at most
    r / (n + 1), whatever their distribution (split conformal prediction, Vovk et al. 2005). r is
    the largest rank within the rate; fewer scores than its inverse leave r = 1, and the rate that
    is stated says so.

    Args:
        scores: of queries that do have matches, at least one.
        bound: they are harder to tell than new queries will be.
    """
    ordered = sorted(map(float, scores))
    rank = max(1, floor(false_alarm_rate * (len(ordered) + 1)))
    return CloseMatch(
        threshold=ordered[rank - 1],
        false_alarm_rate=rank / (len(ordered) + 1),
        queries=len(ordered),
        places=places,
        bound=bound,
    )
