"""Which way to search an archive is best? Labelled reports in, a calibration out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.archive import Archive
from coin_retrieval.archive.manifest import MeasuredRecall
from coin_retrieval.archive.measured.calibration import Calibration
from coin_retrieval.calibrating.candidate_scores import CandidateScores, spaces_of
from coin_retrieval.calibrating.candidates import (
    PROTOTYPE_COUNTS,
    WHITENINGS,
    Candidate,
    candidates,
)
from coin_retrieval.calibrating.case_ranking import case_vectors
from coin_retrieval.calibrating.choice import (
    choose,
    cross_validated,
    macro,
    stratified_folds,
    too_few,
)
from coin_retrieval.calibrating.figures import CalibrationFigures, ChoiceFigures, measured_on
from coin_retrieval.calibrating.index_recall import measure_recall
from coin_retrieval.calibrating.labelled_pictures import labelled_pictures
from coin_retrieval.calibrating.query_bank import (
    EmbeddedQuery,
    askable,
    embed_queries,
    modality_means,
    modes_to_try,
)
from coin_retrieval.calibrating.text_closeness import report_close_match
from coin_retrieval.catalog.base import Where
from coin_retrieval.config import FusionSettings
from coin_retrieval.limits import DEFAULT_PROTOTYPES
from coin_retrieval.metrics.bootstrap import macro_interval
from coin_retrieval.progress import Progress, silent
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.types import SearchMode
from coin_retrieval.wordings.known import known_digest
from coin_retrieval.wordings.labelled_reports import LabelledReport, independent_units

CALIBRATED = "calibrated"
UNCALIBRATED = "uncalibrated"


@dataclass(frozen=True, slots=True)
class Tried:
    """Every candidate on every query: ``values`` is P@k, float64 [candidates queries]."""

    ways: tuple[Candidate, ...]
    values: NDArray[np.float64]

    def only(self, mode: SearchMode) -> Tried:
        """The candidates of one mode."""
        rows = [row for row, way in enumerate(self.ways) if way.mode is mode]
        return Tried(tuple(self.ways[row] for row in rows), self.values[rows])

    @property
    def complexities(self) -> list[tuple[int, int, int, int]]:
        """Of each candidate."""
        return [way.complexity for way in self.ways]


def calibrate(
    retriever: Retriever,
    reports: Sequence[LabelledReport],
    *,
    by: str = "finding",
    where: Where | None = None,
    folds: int = 5,
    prototypes: int = 8,
    seed: int = 0,
    k: int = 10,
    on: Progress = silent,
) -> tuple[Calibration, CalibrationFigures]:
    """Try every way of searching on labelled reports, choose, and measure the choice honestly.

    Reports whose label no other case has are not asked. An earlier calibration plays no part. Too
    few of them (:func:`.too_few`) leave the way of searching as it is, and set the threshold of
    closeness only.

    :func:`~coin_retrieval.archive.amend.put_calibration` keeps what was chosen.

    Args:
        by: the label: ``finding`` or ``diagnosis``.
        where: only these pictures are searched.
        folds: of the cross-validation.
        prototypes: pictures drawn a report; up to 1, 2, 4 and 8 are tried.
        seed: of the first picture, and of the folds.
        k: places that count.

    Raises:
        UnsupportedError: no mode is possible.
        InputError: no picture or report to try on, or fewer independent reports than folds.
        ReportError, FilterError, GenerationError: as a search does.
    """
    modes = modes_to_try(retriever)
    labelled = labelled_pictures(retriever.archive, where=where, by=by)
    asked = askable(retriever, labelled.answerable(reports))
    classes, units = [report.label for report in asked], independent_units(asked)
    fold_of = stratified_folds(classes, units, folds=folds, seed=seed)
    bank = embed_queries(retriever, asked, modes=modes, prototypes=prototypes, seed=seed, on=on)
    pictures = case_vectors(retriever.archive, labelled)
    drawn = prototypes if SearchMode.PROTOTYPE in modes else 0
    means = modality_means(bank, pictures.mean)
    ways = candidates(modes, means, counts=[n for n in PROTOTYPE_COUNTS if n <= max(1, drawn)])
    default = _uncalibrated(modes, drawn)
    scores = CandidateScores(pictures, spaces=spaces_of(retriever.archive.store, WHITENINGS), k=k)
    values = scores.precisions(bank, [*ways, default], on=on)
    tried = Tried(tuple(ways), values[:-1])

    rules = _rules(tried, values[-1], default, classes, fold_of, modes)
    few = too_few(classes, units)
    # nothing is kept that measures worse than something else
    kept = rules[-1] if few else max(rules, key=lambda rule: macro(rule.measured[None], classes)[0])
    choices = _choices(kept, rules, classes, units)
    chosen = _completed(kept.way, tried, classes)
    close_match = report_close_match(retriever.reports, [query.asked.report for query in bank])
    calibration = Calibration(
        created_at=datetime.now(UTC),
        queries=len(bank),
        by=by,
        mode=chosen.mode,
        fusion=chosen.fusion,
        prototypes=max(1, chosen.prototypes),
        figures={choice.name: choice.precision.mean for choice in choices},
        close_match=close_match,
        known=known_digest(),
        generator=retriever.drawer.identity if drawn and retriever.drawer else "",
        generator_name=(retriever.generator_name or "") if drawn else "",
        images=retriever.archive.manifest.counts.images,
        where={field: tuple(allowed) for field, allowed in (where or {}).items()},
    )
    before = retriever.archive.manifest.calibration
    if few and before is not None:
        calibration = before.model_copy(
            update={"close_match": close_match, "known": known_digest()}
        )
    figures = CalibrationFigures(
        **measured_on(retriever, k=k, by=by, where=where, seed=seed),
        queries=len(bank),
        classes=len(set(classes)),
        folds=folds,
        candidates=len(ways),
        choices=choices,
        close_match=close_match,
        too_few=few,
        recall=_recall(retriever.archive, bank),
    )
    return calibration, figures


def _recall(archive: Archive, bank: Sequence[EmbeddedQuery]) -> MeasuredRecall | None:
    """Of an approximate index, now that pictures are drawn to ask it."""
    drawn = [query.pictures for query in bank if query.pictures is not None]
    before = archive.manifest.measured_recall
    if not drawn:
        return before
    return measure_recall(archive.store, prototypes=np.concatenate(drawn), before=before)


def _uncalibrated(modes: Sequence[SearchMode], drawn: int) -> Candidate:
    """What a search without a calibration would do."""
    for mode in (SearchMode.FUSED, SearchMode.PROTOTYPE):
        if mode in modes:
            return Candidate(mode, FusionSettings(), min(drawn, DEFAULT_PROTOTYPES))
    return Candidate(SearchMode.TEXT, FusionSettings(), 0)


@dataclass(frozen=True, slots=True)
class _Rule:
    """One rule of choosing: what it takes on all queries, and P@k without each query's fold."""

    name: str
    way: Candidate
    measured: NDArray[np.float64]
    agreeing_folds: int


def _rules(
    tried: Tried,
    defaults: NDArray[np.float64],
    default: Candidate,
    classes: Sequence[str],
    fold_of: NDArray[np.int64],
    modes: Sequence[SearchMode],
) -> list[_Rule]:
    """The best of each mode, then what a search does without a calibration."""
    rules = []
    for mode in modes:
        own = tried.only(mode)
        measured, folds = cross_validated(own.values, classes, fold_of, own.complexities)
        choice = choose(own.values, classes, own.complexities)
        rules.append(_Rule(mode.value, own.ways[choice], measured, folds.count(choice)))
    return [*rules, _Rule(UNCALIBRATED, default, defaults, int(fold_of.max()) + 1)]


def _choices(
    kept: _Rule, rules: Sequence[_Rule], classes: Sequence[str], units: Sequence[str]
) -> list[ChoiceFigures]:
    """The calibrated choice first, then each rule."""
    return [
        ChoiceFigures(
            name=name,
            chosen=str(rule.way),
            agreeing_folds=rule.agreeing_folds,
            precision=macro_interval(rule.measured, classes, cases=units),
            difference=None
            if name == CALIBRATED
            else macro_interval(kept.measured - rule.measured, classes, cases=units),
        )
        for name, rule in [(CALIBRATED, kept), *((rule.name, rule) for rule in rules)]
    ]


def _completed(chosen: Candidate, tried: Tried, classes: Sequence[str]) -> Candidate:
    """The chosen way with the best values for what its own mode leaves open.

    An archive has one fusion for all modes: one that was chosen for text still needs a weight, a
    method and a number of prototypes for whoever asks for fused. Means that move nothing go.
    """
    means = macro(tried.values, classes)
    fitting = [
        row
        for row, way in enumerate(tried.ways)
        if way.mode is SearchMode.FUSED
        and way.fusion.whitening == chosen.fusion.whitening
        and (
            way.fusion.centring == chosen.fusion.centring
            if chosen.mode is SearchMode.TEXT
            else (way.fusion.method, way.fusion.shift, way.prototypes)
            == (chosen.fusion.method, chosen.fusion.shift, chosen.prototypes)
        )
    ]
    fusion, prototypes = chosen.fusion, chosen.prototypes
    if chosen.mode is not SearchMode.FUSED and fitting:
        other = tried.ways[max(fitting, key=lambda row: (means[row], -row))]
        fusion, prototypes = other.fusion, other.prototypes
    elif chosen.mode is SearchMode.TEXT:
        prototypes = DEFAULT_PROTOTYPES
    if not (fusion.centring or fusion.shift):
        fusion = fusion.model_copy(update={"means": None})
    return replace(chosen, fusion=fusion, prototypes=prototypes)
