"""How good is each query mode on an archive? Labelled reports in, rankings and figures out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from coin_retrieval.calibrating.figures import measured_on
from coin_retrieval.calibrating.labelled_pictures import labelled_pictures
from coin_retrieval.calibrating.query_bank import askable, query_of
from coin_retrieval.catalog.base import Where
from coin_retrieval.evaluation.retrieval.figures import ModeFigures, RetrievalFigures
from coin_retrieval.evaluation.retrieval.rankings import (
    DEEPEST_ACCURACY,
    Ranking,
    differences,
    mode_figures,
)
from coin_retrieval.progress import Progress, counted, silent
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.types import Hit, ImageRecord, SearchMode
from coin_retrieval.wordings.labelled_reports import LabelledReport, independent_units

_CHUNK = 32
"""Pictures that are searched together: few enough for a progress bar that moves."""


def evaluate(
    retriever: Retriever,
    reports: Sequence[LabelledReport],
    *,
    modes: Sequence[SearchMode | str] = (),
    by: str = "finding",
    where: Where | None = None,
    k: int = 10,
    prototypes: int | None = None,
    seed: int = 0,
    on: Progress = silent,
) -> RetrievalFigures:
    """Precision, mAP, nDCG, votes and accuracy of every query mode, with 95 % intervals.

    Args:
        reports: those whose label no other case has are not asked; mode image asks the archive's
            own pictures instead.
        modes: none named: all that are possible.
        by: the label: ``finding`` or ``diagnosis``.
        where: only these pictures are searched.
        k: places that count; cases, not pictures.
        prototypes: pictures drawn a report; ``None`` as a search draws.
        seed: of the first picture.

    Raises:
        InputError: no such label, no picture fits ``where``, or no report can be answered.
        UnsupportedError: the archive cannot be searched in one of the modes.
    """
    # none twice
    named = dict.fromkeys(Query.of(mode=name).mode for name in modes)
    chosen = [mode for mode in named if mode]
    evaluation = RetrievalEvaluation(retriever, where=where, by=by, k=k)
    drawn = prototypes or retriever.planner.prototypes
    chosen = chosen or [SearchMode.IMAGE, *reversed(retriever.planner.modes)]
    of_reports = [mode for mode in chosen if mode is not SearchMode.IMAGE]
    found = [evaluation.pictures(on=on)] if SearchMode.IMAGE in chosen else []
    found += evaluation.reports(of_reports, reports, prototypes=drawn, seed=seed, on=on)
    rankings = sorted(found, key=lambda ranking: chosen.index(ranking.mode))
    return RetrievalFigures(
        **measured_on(retriever, k=k, by=by, where=where, seed=seed),
        prototypes=drawn,
        calibrated=retriever.planner.calibration is not None,
        undrawn=evaluation.undrawn,
        modes=[evaluation.figures(ranking) for ranking in rankings],
        differences=differences(rankings, k=k),
    )


class RetrievalEvaluation:
    """Runs labelled reports, and the archive's own pictures, against one archive.

    Args:
        where: only these pictures are searched.
        by: the picture's field that is the label: ``finding`` or ``diagnosis``.
        k: places that count; cases, not pictures.

    Raises:
        InputError: no such label, or no picture fits ``where``.
    """

    def __init__(
        self, retriever: Retriever, *, where: Where | None, by: str = "finding", k: int = 10
    ) -> None:
        self._retriever = retriever
        self._where, self._k = where or {}, k
        self._depth = max(k, DEEPEST_ACCURACY)
        self._pictures = labelled_pictures(retriever.archive, where=where, by=by)
        self.undrawn = 0
        self._images = {image.image_id: image for image in self._pictures.images}

    def reports(
        self,
        modes: Sequence[SearchMode],
        queries: Iterable[LabelledReport],
        *,
        prototypes: int = 4,
        seed: int = 0,
        on: Progress = silent,
    ) -> list[Ranking]:
        """Search with every report that can be answered, in each mode; a step is a report.

        Where the encoder reads no text, those that the generator never learned to draw are counted
        in ``undrawn`` instead. A report is read, embedded and drawn once for all modes. One that
        affirms nothing is searched as it is written.

        Raises:
            InputError: there is none.
            UnsupportedError: the archive cannot be searched in this mode.
        """
        if not modes:
            return []
        known = self._pictures.answerable(queries)
        asked = askable(self._retriever, known)
        self.undrawn = len(known) - len(asked)
        found: dict[SearchMode, list[list[str]]] = {mode: [] for mode in modes}
        for report in counted(asked, "asking", on):
            query = query_of(
                report.report,
                k=self._depth + bool(report.case_id),
                where={field: list(values) for field, values in self._where.items()},
                prototypes=prototypes,
                seed=seed,
            )
            for mode in modes:
                plan = self._retriever.plan(query.model_copy(update={"mode": mode}))
                cases = self._retriever.nearest(plan)
                others = [case for case in cases if case.case.case_id != report.case_id]
                labels = [self._label(case.matches[0].image) for case in others[: self._depth]]
                found[mode].append(labels)
        return [self._ranking(mode, asked, found[mode]) for mode in modes]

    def pictures(self, *, on: Progress = silent) -> Ranking:
        """Search with every labelled picture, its own case left out: what the encoder could do."""
        store = self._retriever.archive.store
        allowed = np.sort(np.array(list(self._images), np.int64))
        # no case has more pictures than this, so as many hits hold enough cases
        most = max(Counter(image.case_id for image in self._pictures.images).values())
        asked = [image for image in self._pictures.images if self._label(image)]
        found: list[list[str]] = []
        for start in range(0, len(asked), _CHUNK):
            on(SearchMode.IMAGE.value, start, len(asked))
            some = asked[start : start + _CHUNK]
            vectors = store.vectors(np.array([image.image_id for image in some], np.int64))
            near = store.search(vectors, (self._depth + 1) * most, allowed=allowed)
            found += [
                self._by_case(hits, without=image.case_id)
                for image, hits in zip(some, near, strict=True)
            ]
        on(SearchMode.IMAGE.value, len(asked), len(asked))
        queries = [LabelledReport("", self._label(image), image.case_id) for image in asked]
        return self._ranking(SearchMode.IMAGE, queries, found)

    def figures(self, ranking: Ranking) -> ModeFigures:
        """Figures of what :meth:`reports` or :meth:`pictures` found."""
        return mode_figures(ranking, k=self._k, cases=self._pictures.cases)

    def _ranking(
        self, mode: SearchMode, asked: Sequence[LabelledReport], found: list[list[str]]
    ) -> Ranking:
        return Ranking(
            mode=mode,
            truth=[query.label for query in asked],
            cases=independent_units(asked),
            findable=[self._pictures.findable(query) for query in asked],
            found=found,
        )

    def _label(self, image: ImageRecord) -> str:
        return self._pictures.label(image)

    def _by_case(self, hits: Iterable[Hit], *, without: str) -> list[str]:
        """Labels of the cases found, each case's that of its nearest picture."""
        nearest: dict[str, ImageRecord] = {}
        for hit in hits:
            image = self._images[hit.image_id]
            nearest.setdefault(image.case_id, image)
        nearest.pop(without, None)
        return [self._label(image) for image in nearest.values()][: self._depth]
