"""How good is each query mode on an archive? Labelled reports in, rankings and figures out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence

import numpy as np

from coin_retrieval.catalog.base import Where
from coin_retrieval.errors import InputError
from coin_retrieval.evaluation.retrieval.figures import ModeFigures
from coin_retrieval.evaluation.retrieval.rankings import DEEPEST_ACCURACY, Ranking, mode_figures
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.types import Hit, ImageId, ImageRecord, SearchMode
from coin_retrieval.wordings.labelled_reports import LabelledReport

_CHUNK = 32
"""Pictures that are searched together: few enough for a progress bar that moves."""


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
        self, retriever: Retriever, *, where: Where, by: str = "finding", k: int = 10
    ) -> None:
        if by not in ("finding", "diagnosis"):
            raise InputError("no such label", value=by, expected="finding or diagnosis")
        self._retriever = retriever
        self._where, self._by, self._k = where, by, k
        self._depth = max(k, DEEPEST_ACCURACY)
        self._ids = np.sort(retriever.archive.catalog.select(where))
        if not len(self._ids):
            raise InputError("no picture of the archive fits the filter", value=dict(where))
        records = retriever.archive.catalog.images(ImageId(int(i)) for i in self._ids)
        self._images = {record.image_id: record for record in records.values()}
        self._most = max(Counter(record.case_id for record in records.values()).values())
        self._labelled = [i for i in map(int, self._ids) if self._label(records[ImageId(i)])]
        self._labelled_cases = {
            (records[ImageId(i)].case_id, self._label(records[ImageId(i)])) for i in self._labelled
        }
        self._cases = Counter(label for _, label in self._labelled_cases)

    def answerable(self, queries: Iterable[LabelledReport]) -> list[LabelledReport]:
        """The reports whose label some case has: its own case does not count.

        Raises:
            InputError: there is none.
        """
        asked = [query for query in queries if self._findable(query.case_id, query.label)]
        if not asked:
            raise InputError(
                "no query has a label of this archive",
                value=f"labels by {self._by}",
                expected=f"one of {', '.join(sorted(self._cases))}",
                remedy="name the label as the archive does, or another --by",
            )
        return asked

    @property
    def pictures_count(self) -> int:
        """How many queries :meth:`pictures` runs."""
        return len(self._labelled)

    def reports(
        self,
        mode: SearchMode,
        queries: Sequence[LabelledReport],
        *,
        prototypes: int = 4,
        seed: int = 0,
        done: Callable[[], None] = lambda: None,
    ) -> Ranking:
        """Search with every report that is :meth:`answerable`; ``done`` is called after each.

        Raises:
            InputError: there is none.
            UnsupportedError: the archive cannot be searched in this mode.
        """
        asked = self.answerable(queries)
        found = []
        for query in asked:
            answer = self._retriever.search(
                Query(
                    query.report,
                    mode=mode,
                    k=self._depth + bool(query.case_id),
                    where=self._where,
                    prototypes=prototypes,
                    seed=seed,
                )
            )
            others = [case for case in answer.cases if case.case.case_id != query.case_id]
            found.append([self._label(case.matches[0].image) for case in others[: self._depth]])
            done()
        return Ranking(
            mode=mode,
            truth=[query.label for query in asked],
            cases=[q.case_id or f"query {number}" for number, q in enumerate(asked)],
            findable=[self._findable(query.case_id, query.label) for query in asked],
            found=found,
        )

    def pictures(self, *, done: Callable[[], None] = lambda: None) -> Ranking:
        """Search with every picture itself, its own case left out: what the encoder could do."""
        store = self._retriever.archive.store
        found = []
        for start in range(0, len(self._labelled), _CHUNK):
            ids = self._labelled[start : start + _CHUNK]
            # no case has more than ``most`` pictures, so as many hits as this hold enough cases
            near = store.search(
                store.vectors(np.array(ids, np.int64)),
                (self._depth + 1) * self._most,
                allowed=self._ids,
            )
            for image_id, hits in zip(ids, near, strict=True):
                found.append(self._by_case(hits, without=self._images[ImageId(image_id)].case_id))
                done()
        asked = [self._images[ImageId(i)] for i in self._labelled]
        return Ranking(
            mode=SearchMode.IMAGE,
            truth=[self._label(image) for image in asked],
            cases=[image.case_id for image in asked],
            findable=[self._findable(image.case_id, self._label(image)) for image in asked],
            found=found,
        )

    def figures(self, ranking: Ranking) -> ModeFigures:
        """Figures of what :meth:`reports` or :meth:`pictures` found."""
        return mode_figures(ranking, k=self._k, cases=self._cases)

    def _label(self, image: ImageRecord) -> str:
        return str(getattr(image, self._by))

    def _findable(self, case_id: str, label: str) -> int:
        """How many cases other than this one have the label."""
        return self._cases[label] - ((case_id, label) in self._labelled_cases)

    def _by_case(self, hits: Iterable[Hit], *, without: str) -> list[str]:
        """Labels of the cases found, each case's that of its nearest picture."""
        nearest: dict[str, ImageRecord] = {}
        for hit in hits:
            image = self._images[hit.image_id]
            nearest.setdefault(image.case_id, image)
        nearest.pop(without, None)
        return [self._label(image) for image in nearest.values()][: self._depth]
