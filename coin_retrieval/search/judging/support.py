"""What the nearest cases say, and how little: shares of diagnoses.

Decision support, never a label. A share says how the nearest cases are distributed, not how likely
a diagnosis is for the patient who was asked about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from coin_retrieval.archive.measured.calibration import PLACES, CloseMatch
from coin_retrieval.catalog.base import Catalog, Where
from coin_retrieval.metrics.intervals import wilson
from coin_retrieval.ranking.case_search import Found
from coin_retrieval.ranking.evidence import Repetition, Unit, pieces, repetitions, unit_of
from coin_retrieval.search.judging.closeness import Closeness, judged
from coin_retrieval.types import CaseMatch, Origin


@dataclass(frozen=True, slots=True)
class DiagnosisShare:
    """One diagnosis among the independent evidence; ``""`` is where none was given.

    ``count`` is how many patients, slides or cases bear it. ``share`` is weighted by similarity;
    ``low`` and ``high`` are its 95 % interval.
    """

    diagnosis: str
    count: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class OneLabel:
    """All ``cases`` of a ``site`` that were searched bear one ``diagnosis``."""

    site: str
    cases: int
    diagnosis: str


@dataclass(frozen=True, slots=True)
class Support:
    """What the nearest cases say.

    ``shares`` rest on ``counted`` independent pieces of evidence: patients, slides or cases, as
    ``unit`` says. ``nearest`` is how many real cases they came from, ``repeated`` which of those
    repeat another or the query's own, and ``not_real`` counts the others, which never count.
    ``one_label`` is set where all that was searched bears one diagnosis: agreement then says
    nothing.
    """

    shares: tuple[DiagnosisShare, ...]
    counted: int = 0
    unit: Unit = "case"
    nearest: int = 0
    not_real: int = 0
    repeated: Mapping[str, Repetition] = field(default_factory=dict)
    one_label: OneLabel | None = None


def support_of(
    found: Found, *, labels: Callable[[str], OneLabel | None] = lambda _: None
) -> Support | None:
    """What the nearest cases say; ``None`` without any.

    A patient counts once, by its nearest real picture: that picture's diagnosis, weighted by its
    similarity. Where patients are not named slides do, else cases; copies and overlapping fields
    never count twice, the query's own case and what repeats it not at all, and neither do
    generated and translated pictures.

    Args:
        labels: of a site, whether all that was searched there bears one diagnosis.
    """
    cases = found.nearest
    if not cases:
        return None
    repeated = repetitions(cases, found.ties, found.own)
    independent = pieces(cases, repeated, (case.case.case_id for case in found.own))
    evidence = [piece for piece in independent if _real_votes(piece)]
    votes = [_real_votes(piece)[0] for piece in evidence]
    sites = {piece[0].case.site for piece in evidence}
    real = sum(bool(_real_votes([case])) for case in cases)
    return Support(
        shares=shares_of(votes),
        counted=len(votes),
        unit=unit_of(evidence),
        nearest=real,
        not_real=len(cases) - real,
        repeated=repeated,
        one_label=labels(sites.pop()) if len(sites) == 1 else None,
    )


def one_label(catalog: Catalog, site: str, where: Where) -> OneLabel | None:
    """Whether all of a site that fits a filter bears one diagnosis, ``None`` where not.

    Args:
        site: empty where the cases name none.
    """
    if not site:
        return None
    scope = {**where, "site": (site,)}
    diagnoses = catalog.values("diagnosis", scope)
    if len(diagnoses) != 1:
        return None
    return OneLabel(site, len(catalog.values("case_id", scope)), next(iter(diagnoses)))


def judged_cases(cases: Sequence[CaseMatch], close_match: CloseMatch | None) -> Closeness:
    """A verdict on what a picture finds: the mean similarity of the first cases' real pictures.

    Where no case has a real picture (a demonstration), all pictures count.
    """
    places = close_match.places if close_match else PLACES
    similarities = [similarity for _, similarity in _real_votes(cases)]
    similarities = (similarities or [case.similarity for case in cases])[:places]
    return judged(sum(similarities) / len(similarities), close_match)


def shares_of(votes: Sequence[tuple[str, float]]) -> tuple[DiagnosisShare, ...]:
    """Shares of (diagnosis, similarity) pairs, largest first; those without a diagnosis last.

    Each weighs as much as it resembles the query (below 0: nothing; if none resembles it, all
    weigh the same). The interval is Wilson's (JASA 1927) on Kish's effective number of them,
    (Σw)² / Σw²: unlike a bootstrap over a handful of cases it does not shrink to nothing where all
    of them agree.
    """
    most = max((similarity for _, similarity in votes), default=0.0)
    weights = [max(similarity, 0.0) / most if most > 0 else 1.0 for _, similarity in votes]
    total = sum(weights)
    effective = total**2 / sum(weight**2 for weight in weights) if weights else 0.0
    found: dict[str, tuple[int, float]] = {}
    for (diagnosis, _), weight in zip(votes, weights, strict=True):
        count, mass = found.get(diagnosis, (0, 0.0))
        found[diagnosis] = (count + 1, mass + weight)
    shares = [
        DiagnosisShare(diagnosis, count, mass / total, *wilson(mass / total, effective))
        for diagnosis, (count, mass) in found.items()
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
