"""What was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from coin_retrieval.archive.manifest import MeasuredRecall
from coin_retrieval.prototypes.gate import Verdict
from coin_retrieval.prototypes.prototype import Prototype
from coin_retrieval.search.judging.closeness import NOT_MEASURED, Closeness
from coin_retrieval.search.judging.rivals import Rival
from coin_retrieval.search.judging.support import Support
from coin_retrieval.search.plan import SearchPlan
from coin_retrieval.types import CaseMatch, Sample, SearchMode


@dataclass(frozen=True, slots=True)
class Scope:
    """What was searched: ``fitting`` of the archive's ``images`` passed the filter.

    ``recall`` is what the index was measured to find, ``None`` where it looked at every picture or
    nobody measured it.
    """

    fitting: int
    images: int
    recall: MeasuredRecall | None


@dataclass(frozen=True, slots=True)
class SearchResult:
    """Cases, best first, with the prototypes that stood for the report.

    ``plan`` has every decision that was made before; what only running could tell stands here:
    ``mode`` is the plan's unless nothing could be drawn, ``verdicts`` are on the prototypes, those
    drawn in place of refused ones among them (empty where nothing judged them), ``variations``
    were drawn from the picture of the question and are kept nowhere, ``exact`` is
    whether the index looked at every picture (``scope`` says of what), and ``notices`` are the
    plan's and what happened since. ``support`` is what the cases' diagnoses amount to,
    ``closeness`` whether the archive can hold a close match and why. ``own`` are the query's own
    cases, marked ones and those that hold the very picture: they are neither among ``cases`` nor
    evidence. ``rivals`` are the leading diagnosis and what else it might be, where that was asked
    for. ``timings_ms`` has one entry a stage: plan, generate, encode, search, catalog, total.
    """

    plan: SearchPlan
    mode: SearchMode
    prototypes: tuple[Prototype, ...]
    verdicts: tuple[Verdict, ...]
    variations: tuple[Sample, ...]
    cases: tuple[CaseMatch, ...]
    own: tuple[CaseMatch, ...]
    support: Support | None
    rivals: tuple[Rival, ...]
    exact: bool
    scope: Scope
    notices: tuple[str, ...]
    timings_ms: Mapping[str, float]
    closeness: Closeness = NOT_MEASURED

    @property
    def report(self) -> str:
        """The report as it was read; empty without one."""
        return self.plan.words.report.text if self.plan.words else ""

    @property
    def searched(self) -> str:
        """What of the report was searched; empty without one."""
        return self.plan.words.searched if self.plan.words else ""

    @property
    def dropped_text(self) -> str:
        """What was to be searched and no model could read."""
        return self.plan.words.dropped_text if self.plan.words else ""
