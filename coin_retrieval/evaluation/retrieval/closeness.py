"""Does "no close match" tell queries that an archive cannot answer from those it can?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Sized

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from coin_retrieval.archive.measured.calibration import PLACES, CloseMatch
from coin_retrieval.calibrating.query_bank import query_of
from coin_retrieval.errors import InputError, UnsupportedError
from coin_retrieval.evaluation.retrieval.questions import Question
from coin_retrieval.metrics.intervals import Estimate
from coin_retrieval.metrics.separation import Scores, auroc, share
from coin_retrieval.progress import Progress, counted, silent
from coin_retrieval.search.judging.closeness import Because, Closeness, Verdict
from coin_retrieval.search.judging.support import judged_cases
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.types import SearchMode

_LOWEST = -10.0
"""Below every score: cosines, or the sum of two differences of cosines."""


class CloseMatchFigures(BaseModel):
    """What an evaluation found. ``auroc``: how often an inside query scores above an outside one.

    ``false_alarm_rate`` is the share of inside queries whose verdict is no, beside the rate that is
    ``stated`` by the archive; ``detection_rate`` that of outside queries. All three are ``None``
    where the archive has no threshold for the mode.
    """

    model_config = ConfigDict(frozen=True)

    mode: str
    encoder: str
    inside: int
    outside: int
    auroc: Estimate
    stated: CloseMatch | None
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
    on: Progress = silent,
) -> CloseMatchFigures:
    """Judge every question as a search would, and compare the scores of the two kinds.

    Reports are judged by what they say: whichever mode searches them, the verdict is the same, and
    nothing is drawn.

    Args:
        inside, outside: as :func:`.questions_of` gives them.
        mode: ``None`` takes what a search of a report takes.

    Raises:
        InputError: one kind has no question, or a question finds no case but its own.
        UnsupportedError: the archive cannot be searched in this mode, or was not measured.
    """
    require_both(inside, outside)
    named = Query.of(mode=mode).mode
    chosen = named or retriever.plan(Query(report="a report")).mode
    inner, outer = (
        [_judged(retriever, question, chosen) for question in counted(questions, stage, on)]
        for stage, questions in (("inside", inside), ("outside", outside))
    )
    return measure_close_match(
        inner,
        outer,
        retriever.planner.closeness(chosen),
        mode=chosen,
        encoder=str(retriever.archive.manifest.encoder),
    )


def _judged(retriever: Retriever, question: Question, mode: SearchMode) -> Closeness:
    if question.picture is None:
        return _of_report(retriever, question.report, mode)
    close_match = retriever.planner.closeness(mode)
    places = close_match.places if close_match else PLACES
    query = Query(report=question.report, mode=mode, k=places + bool(question.case_id))
    cases = retriever.search(query, question.picture()).cases
    others = [case for case in cases if case.case.case_id != question.case_id]
    if not others:
        raise InputError(
            "a query finds no case but its own",
            value=question.case_id or "none",
            expected="an archive of several cases",
        )
    return judged_cases(others, close_match)


def _of_report(retriever: Retriever, report: str, mode: SearchMode) -> Closeness:
    plan = retriever.plan(query_of(report, mode=mode))
    found = retriever.reports.judge(plan.words, plan.site) if plan.words else None
    if found is None or found.score is None:
        raise UnsupportedError(
            "this archive cannot judge reports",
            value="nothing known of what it holds",
            expected="an archive whose labels the program has reports of",
            remedy="run coin-index upgrade if an earlier program built it",
        )
    return found


def ranked(found: Iterable[Closeness], *, above: bool = False) -> Scores:
    """Scores to order queries by, float64 [n]: a site that is lacking comes below all of them.

    Args:
        above: the threshold is subtracted, which makes scores of several archives comparable.
    """
    return np.array(
        [
            _LOWEST
            if one.reasons[0].because is Because.SITE_LACKING
            else (one.score or 0.0) - (one.limit.threshold if above and one.limit else 0.0)
            for one in found
        ]
    )


def refused(found: Iterable[Closeness]) -> NDArray[np.bool_]:
    """Of each whether the verdict is no."""
    return np.array([one.verdict is Verdict.NO for one in found])


def measure_close_match(
    inside: Sequence[Closeness],
    outside: Sequence[Closeness],
    close_match: CloseMatch | None,
    *,
    mode: SearchMode,
    encoder: str,
) -> CloseMatchFigures:
    """Figures of the verdicts on queries with and without a match.

    Raises:
        InputError: one of the two has no query.
    """
    require_both(inside, outside)
    scores = ranked(inside), ranked(outside)
    return CloseMatchFigures(
        mode=mode.value,
        encoder=encoder,
        inside=len(inside),
        outside=len(outside),
        auroc=auroc(*scores),
        stated=close_match,
        false_alarm_rate=share(refused(inside)) if close_match else None,
        detection_rate=share(refused(outside)) if close_match else None,
        inside_scores=scores[0].tolist(),
        outside_scores=scores[1].tolist(),
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


def to_markdown(figures: CloseMatchFigures) -> str:
    """One table; intervals are 95 %."""
    lines = [
        f"| no close match, mode {figures.mode} | (95 % interval) |",
        "|---|---|",
        f"| queries inside, outside | {figures.inside}, {figures.outside} |",
        f"| AUROC | {figures.auroc} |",
    ]
    stated = figures.stated
    if stated is None:
        lines.append("| threshold | none for this mode |")
    else:
        lines += [
            f"| threshold | {stated.threshold:.3f} |",
            f"| false alarms, stated | {stated.false_alarm_words} |",
            f"| false alarms, realised | {figures.false_alarm_rate} |",
            f"| outside queries detected | {figures.detection_rate} |",
        ]
    return "\n".join(lines) + "\n"
