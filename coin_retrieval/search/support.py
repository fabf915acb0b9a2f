"""What the nearest cases say, and how little: shares of diagnoses, and whether any case is close.

Decision support, never a label. A share says how the nearest cases are distributed, not how likely
a diagnosis is for the patient who was asked about.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from coin_retrieval.archive.calibration import PLACES, CloseMatch
from coin_retrieval.metrics.intervals import wilson
from coin_retrieval.types import CaseMatch, Origin


@dataclass(frozen=True, slots=True)
class DiagnosisShare:
    """One diagnosis among the nearest cases; ``""`` are those without one.

    ``share`` is weighted by similarity; ``low`` and ``high`` are its 95 % interval.
    """

    diagnosis: str
    cases: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Support:
    """What the nearest cases say.

    ``cases`` counts the real ones, on which ``shares`` rest; ``not_real`` the others, which never
    count. ``score`` is the mean similarity of the first cases; ``close`` is whether it reaches
    ``threshold``, ``None`` where no threshold was calibrated for such a query.
    """

    shares: tuple[DiagnosisShare, ...]
    close: bool | None
    score: float
    threshold: float | None
    false_alarm_rate: float | None
    cases: int = 0
    not_real: int = 0


def support_of(cases: Sequence[CaseMatch], close_match: CloseMatch | None = None) -> Support | None:
    """What the ``cases`` say, nearest first and near duplicates folded; ``None`` without any.

    A case counts once, by its nearest real picture: that picture's diagnosis, weighted by its
    similarity. Generated and translated pictures never count.
    """
    if not cases:
        return None
    votes = _real_votes(cases)
    score = query_score(cases, places=close_match.places if close_match else PLACES)
    return Support(
        shares=shares_of(votes),
        close=None if close_match is None else score >= close_match.threshold,
        score=score,
        threshold=close_match.threshold if close_match else None,
        false_alarm_rate=close_match.false_alarm_rate if close_match else None,
        cases=len(votes),
        not_real=len(cases) - len(votes),
    )


def query_score(cases: Sequence[CaseMatch], *, places: int = PLACES) -> float:
    """The mean similarity of the first ``places`` cases, by their nearest real pictures.

    Where no case has a real picture (a demonstration), all pictures count.

    Raises:
        ValueError: no case.
    """
    similarities = [similarity for _, similarity in _real_votes(cases)]
    similarities = (similarities or [case.similarity for case in cases])[:places]
    if not similarities:
        raise ValueError("a score needs a case")
    return sum(similarities) / len(similarities)


def shares_of(votes: Sequence[tuple[str, float]]) -> tuple[DiagnosisShare, ...]:
    """Shares of (diagnosis, similarity) pairs, largest first; those without a diagnosis last.

    A case weighs as much as it resembles the query (below 0: nothing; if none resembles it, all
    weigh the same). The interval is Wilson's (JASA 1927) on Kish's effective number of cases,
    (Σw)² / Σw²: unlike a bootstrap over a handful of cases it does not shrink to nothing where all
    of them agree.
    """
    most = max((similarity for _, similarity in votes), default=0.0)
    weights = [max(similarity, 0.0) / most if most > 0 else 1.0 for _, similarity in votes]
    total = sum(weights)
    effective = total**2 / sum(weight**2 for weight in weights) if weights else 0.0
    found: dict[str, tuple[int, float]] = {}
    for (diagnosis, _), weight in zip(votes, weights, strict=True):
        cases, mass = found.get(diagnosis, (0, 0.0))
        found[diagnosis] = (cases + 1, mass + weight)
    shares = [
        DiagnosisShare(diagnosis, cases, mass / total, *wilson(mass / total, effective))
        for diagnosis, (cases, mass) in found.items()
    ]
    return tuple(sorted(shares, key=lambda share: (not share.diagnosis, -share.share)))


def _real_votes(cases: Sequence[CaseMatch]) -> list[tuple[str, float]]:
    """(diagnosis, similarity) of each case's nearest real picture, nearest first."""
    votes = []
    for case in cases:
        real = next((m for m in case.matches if m.image.origin is Origin.REAL), None)
        if real is not None:
            votes.append((real.image.diagnosis, real.similarity))
    return votes
