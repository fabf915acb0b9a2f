"""Does "no close match" tell queries that an archive cannot answer from those it can?"""

from __future__ import annotations

from collections.abc import Sequence, Sized

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from coin_retrieval.archive.calibration import PLACES, CloseMatch
from coin_retrieval.errors import InputError
from coin_retrieval.evaluation.retrieval.questions import Question
from coin_retrieval.images import load_image
from coin_retrieval.metrics.bootstrap import DRAWS
from coin_retrieval.metrics.intervals import Estimate, quantile_interval, wilson
from coin_retrieval.progress import Progress, counted, silent
from coin_retrieval.reports.plain import affirms
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.search.support import query_score
from coin_retrieval.types import SearchMode

Scores = NDArray[np.float64]


class CloseMatchFigures(BaseModel):
    """What an evaluation found. ``auroc``: how often an inside query scores above an outside one.

    ``false_alarm_rate`` is the share of inside queries below the archive's threshold, beside the
    rate that the archive states; ``detection_rate`` that of outside queries. Both are ``None``
    where the archive has no threshold for the mode.
    """

    model_config = ConfigDict(frozen=True)

    mode: str
    encoder: str
    generator: str
    prototypes: int
    seed: int
    places: int
    inside: int
    outside: int
    auroc: Estimate
    threshold: float | None
    stated_false_alarm_rate: float | None
    false_alarm_rate: Estimate | None
    detection_rate: Estimate | None
    inside_scores: list[float]
    outside_scores: list[float]


def close_match(
    retriever: Retriever,
    inside: Sequence[Question],
    outside: Sequence[Question],
    *,
    mode: SearchMode | str | None = None,
    prototypes: int | None = None,
    seed: int = 0,
    on: Progress = silent,
) -> CloseMatchFigures:
    """Ask every question as a search would, and compare the scores of the two kinds.

    Args:
        inside, outside: as :func:`.questions_of` gives them.
        mode: ``None`` takes what a search of a report takes.
        prototypes: pictures drawn a report; ``None`` as a search draws.
        seed: of the first picture.

    Raises:
        InputError: one kind has no question, or a question finds no case but its own.
        UnsupportedError: the archive cannot be searched in this mode.
    """
    require_both(inside, outside)
    named = Query.of(mode=mode).mode
    chosen = named or retriever.plan(Query(report="a report")).mode
    known = retriever.planner.closeness(chosen)
    drawn = prototypes or retriever.planner.prototypes
    places = known.places if known else PLACES
    inner, outer = (
        np.array(
            [
                _score(retriever, question, chosen, places=places, prototypes=drawn, seed=seed)
                for question in counted(questions, stage, on)
            ]
        )
        for stage, questions in (("inside", inside), ("outside", outside))
    )
    return measure_close_match(
        inner,
        outer,
        known,
        mode=chosen,
        encoder=str(retriever.archive.manifest.encoder),
        generator=retriever.generator_name or "",
        prototypes=drawn,
        seed=seed,
    )


def _score(
    retriever: Retriever,
    question: Question,
    mode: SearchMode,
    *,
    places: int,
    prototypes: int,
    seed: int,
) -> float:
    """The mean similarity of a question's first ``places`` cases."""
    query = Query(
        report=question.report,
        as_written=bool(question.report) and not affirms(question.report),
        mode=mode,
        k=places + bool(question.case_id),
        prototypes=prototypes,
        seed=seed,
    )
    picture = load_image(question.picture) if question.picture else None
    cases = retriever.search(query, picture).cases
    others = [case for case in cases if case.case.case_id != question.case_id]
    if not others:
        raise InputError(
            "a query finds no case but its own",
            value=question.case_id or "none",
            expected="an archive of several cases",
        )
    return query_score(others, places=places)


def measure_close_match(
    inside: Scores,
    outside: Scores,
    close_match: CloseMatch | None,
    *,
    mode: SearchMode,
    encoder: str,
    generator: str = "",
    prototypes: int = 0,
    seed: int = 0,
) -> CloseMatchFigures:
    """Figures of the scores float64 [n] and [m] of queries with and without a match.

    Raises:
        InputError: one of the two has no query.
    """
    require_both(inside, outside)
    threshold = close_match.threshold if close_match else None
    return CloseMatchFigures(
        mode=mode.value,
        encoder=encoder,
        generator=generator,
        prototypes=prototypes,
        seed=seed,
        places=close_match.places if close_match else PLACES,
        inside=len(inside),
        outside=len(outside),
        auroc=auroc(inside, outside),
        threshold=threshold,
        stated_false_alarm_rate=close_match.false_alarm_rate if close_match else None,
        false_alarm_rate=None if threshold is None else _rate(inside < threshold),
        detection_rate=None if threshold is None else _rate(outside < threshold),
        inside_scores=inside.tolist(),
        outside_scores=outside.tolist(),
    )


def require_both(inside: Sized, outside: Sized) -> None:
    """Refuse one kind of queries without the other.

    Raises:
        InputError: one of the two has none.
    """
    if not len(inside) or not len(outside):
        raise InputError(
            "both kinds of queries are needed",
            value=f"{len(inside)} inside, {len(outside)} outside the archive",
            expected="at least one of each",
            remedy="give reports of findings that the archive lacks as --outside",
        )


def auroc(inside: Scores, outside: Scores, *, draws: int = DRAWS, seed: int = 0) -> Estimate:
    """The area under the ROC curve of a score that is high inside, with its bootstrap interval.

    As the Mann-Whitney statistic: the share of pairs in which the inside query scores higher, ties
    half. Inside and outside queries are drawn anew apart. scikit-learn's function finds the same
    area (a test holds them together), but asked once a draw it takes a thousand times as long.
    """
    wins = (inside[:, None] > outside) + 0.5 * (inside[:, None] == outside)
    random = np.random.default_rng(seed)
    rows = random.multinomial(len(inside), np.full(len(inside), 1 / len(inside)), size=draws)
    columns = random.multinomial(len(outside), np.full(len(outside), 1 / len(outside)), size=draws)
    drawn = np.einsum("di,ij,dj->d", rows, wins, columns, optimize=True) / wins.size
    low, high = quantile_interval(drawn)
    return Estimate(mean=float(wins.mean()), low=low, high=high)


def to_markdown(figures: CloseMatchFigures) -> str:
    """One table; intervals are 95 %."""
    lines = [
        f"| no close match, mode {figures.mode} | (95 % interval) |",
        "|---|---|",
        f"| queries inside, outside | {figures.inside}, {figures.outside} |",
        f"| AUROC | {figures.auroc} |",
    ]
    if figures.false_alarm_rate is None or figures.detection_rate is None:
        lines.append("| threshold | none for this mode: run coin calibrate |")
    else:
        lines += [
            f"| threshold (mean of {figures.places} cases) | {figures.threshold:.3f} |",
            f"| false alarms, stated | {figures.stated_false_alarm_rate:.3f} |",
            f"| false alarms, realised | {figures.false_alarm_rate} |",
            f"| outside queries detected | {figures.detection_rate} |",
        ]
    return "\n".join(lines) + "\n"


def _rate(found: NDArray[np.bool_]) -> Estimate:
    """A share with Wilson's interval: a bootstrap of none in thirty would claim certainty."""
    share = float(found.mean())
    low, high = wilson(share, len(found))
    return Estimate(mean=share, low=low, high=high)
