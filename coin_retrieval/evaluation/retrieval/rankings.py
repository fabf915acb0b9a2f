"""From what each query found to figures by class, macro averages and paired differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.evaluation.retrieval.figures import (
    FIGURES,
    ClassFigures,
    Difference,
    ModeFigures,
)
from coin_retrieval.metrics.bootstrap import macro_interval
from coin_retrieval.metrics.ranking import (
    accuracy_at,
    average_precision_at,
    majority_vote_at,
    ndcg_at,
    precision_at,
)
from coin_retrieval.types import SearchMode

DEEPEST_ACCURACY = 5
_BY_STRENGTH = (SearchMode.FUSED, SearchMode.PROTOTYPE, SearchMode.TEXT)


@dataclass(frozen=True, slots=True)
class Ranking:
    """What the queries of one mode found; all lists are parallel to the queries.

    ``found`` has the labels of the cases found, nearest first; ``findable`` how many cases have the
    query's label, its own case left out; ``cases`` the case that a query comes from, or a name of
    its own.
    """

    mode: SearchMode
    truth: Sequence[str]
    cases: Sequence[str]
    findable: Sequence[int]
    found: Sequence[Sequence[str]]

    def values(self, k: int) -> dict[str, NDArray[np.float64]]:
        """Every figure of every query, float64 [queries] each."""
        places = max(k, DEEPEST_ACCURACY)
        relevant = np.zeros((len(self.truth), places), bool)
        for row, labels, true in zip(relevant, self.found, self.truth, strict=True):
            right = [label == true for label in labels[:places]]
            row[: len(right)] = right
        findable = np.array(self.findable, np.int64)
        figures = (
            precision_at(relevant, k),
            average_precision_at(relevant, findable, k),
            ndcg_at(relevant, findable, k),
            majority_vote_at(self.found, self.truth, k),
            *(accuracy_at(relevant, at) for at in (1, 3, DEEPEST_ACCURACY)),
        )
        return dict(zip(FIGURES, figures, strict=True))


def mode_figures(ranking: Ranking, *, k: int, cases: Mapping[str, int]) -> ModeFigures:
    """Figures of one mode; ``cases`` says how many cases of the archive have each label."""
    values = ranking.values(k)
    names = np.array(ranking.truth)
    reachable = np.minimum(np.array(ranking.findable), k) / k
    estimates = {
        figure: macro_interval(value, ranking.truth, cases=ranking.cases)
        for figure, value in values.items()
    }
    return ModeFigures(
        mode=ranking.mode.value,
        queries=len(names),
        intervals={figure: (found.low, found.high) for figure, found in estimates.items()},
        classes=[
            ClassFigures(
                label=label,
                queries=int((names == label).sum()),
                cases=cases[label],
                ceiling=float(reachable[names == label].mean()),
                **{figure: float(value[names == label].mean()) for figure, value in values.items()},
            )
            for label in sorted(set(ranking.truth))
        ],
        **{figure: found.mean for figure, found in estimates.items()},
    )


def differences(rankings: Sequence[Ranking], *, k: int) -> list[Difference]:
    """Paired differences between all modes that were asked the same reports.

    Pictures as queries are other queries than reports: they are paired with nothing.
    """
    asked = {ranking.mode: ranking for ranking in rankings}
    reports = [asked[mode] for mode in _BY_STRENGTH if mode in asked]
    return [_difference(mode, baseline, k) for mode, baseline in combinations(reports, 2)]


def _difference(mode: Ranking, baseline: Ranking, k: int) -> Difference:
    values, others = mode.values(k), baseline.values(k)
    return Difference(
        mode=mode.mode.value,
        baseline=baseline.mode.value,
        figures={
            figure: macro_interval(values[figure] - others[figure], mode.truth, cases=mode.cases)
            for figure in FIGURES
        },
    )
