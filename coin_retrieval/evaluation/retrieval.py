"""How good is each query mode on an archive? Labelled reports in, figures by class out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from coin_retrieval.catalog.base import Where
from coin_retrieval.errors import InputError
from coin_retrieval.evaluation.ranking import accuracy_at, macro_interval, precision_at
from coin_retrieval.retrieval.query import Query
from coin_retrieval.retrieval.retriever import Retriever
from coin_retrieval.types import ImageId, ImageRecord, SearchMode


@dataclass(frozen=True, slots=True)
class LabelledReport:
    """A report and the label that relevant pictures carry."""

    report: str
    label: str


class ClassFigures(BaseModel):
    """Figures of one class; ``ceiling`` is a perfect ranking's P@k, by how many cases there are."""

    model_config = ConfigDict(frozen=True)

    label: str
    queries: int
    cases: int
    ceiling: float
    precision: float
    accuracy_1: float
    accuracy_5: float


class ModeFigures(BaseModel):
    """Figures of one query mode: macro averages over classes, P@k with its 95 % interval."""

    model_config = ConfigDict(frozen=True)

    mode: str
    precision: float
    interval: tuple[float, float]
    accuracy_1: float
    accuracy_5: float
    classes: list[ClassFigures]


class RetrievalFigures(BaseModel):
    """What an evaluation found; ``where`` and ``by`` say on what."""

    model_config = ConfigDict(frozen=True)

    k: int
    by: str
    where: dict[str, list[str]]
    encoder: str
    generator: str = ""
    prototypes: int
    seed: int
    modes: list[ModeFigures] = Field(default_factory=list)


class RetrievalEvaluation:
    """Runs labelled reports, and the archive's own pictures, against one archive.

    Args:
        where: only these pictures are searched.
        by: the picture's field that is the label: ``finding`` or ``diagnosis``.
        k: places that count; cases, not pictures.
    """

    def __init__(
        self, retriever: Retriever, *, where: Where, by: str = "finding", k: int = 10
    ) -> None:
        if by not in ("finding", "diagnosis"):
            raise InputError("no such label", value=by, expected="finding or diagnosis")
        self._retriever = retriever
        self._where, self._by, self._k = where, by, k
        ids = retriever.archive.catalog.select(where)
        self._ids = np.sort(ids)
        records = retriever.archive.catalog.images(ImageId(int(i)) for i in self._ids)
        self._records = [records[ImageId(int(i))] for i in self._ids]
        self._labels = {record.image_id: self._label(record) for record in self._records}
        self._cases = Counter(
            label for _, label in {(r.case_id, self._label(r)) for r in self._records}
        )

    def reports(
        self,
        mode: SearchMode,
        queries: Sequence[LabelledReport],
        *,
        prototypes: int = 4,
        seed: int = 0,
        done: Callable[[], None] = lambda: None,
    ) -> ModeFigures:
        """Search with every report whose label the archive has.

        Raises:
            InputError: no report's label is in the archive.
        """
        asked = [query for query in queries if self._cases[query.label]]
        rows = []
        for query in asked:
            answer = self._retriever.search(
                Query(
                    query.report,
                    mode=mode,
                    k=self._k,
                    where=self._where,
                    prototypes=prototypes,
                    seed=seed,
                )
            )
            found = [self._label(case.matches[0].image) for case in answer.cases]
            rows.append(self._relevance(found, query.label))
            done()
        return self._figures(mode, rows, [query.label for query in asked])

    def pictures(self) -> ModeFigures:
        """Search with every picture itself, its own case left out: what the encoder could do."""
        store = self._retriever.archive.store
        cases = {record.image_id: record.case_id for record in self._records}
        most = max(Counter(cases.values()).values())
        hits = store.search(store.vectors(self._ids), (self._k + 1) * most, allowed=self._ids)
        rows = []
        for record, near in zip(self._records, hits, strict=True):
            best: dict[str, str] = {}
            for hit in near:
                best.setdefault(cases[hit.image_id], self._labels[hit.image_id])
            best.pop(record.case_id, None)
            rows.append(self._relevance(list(best.values()), self._label(record)))
        return self._figures(SearchMode.IMAGE, rows, [self._label(r) for r in self._records])

    def _label(self, image: ImageRecord) -> str:
        return str(getattr(image, self._by))

    def _relevance(self, found: Iterable[str], truth: str) -> list[bool]:
        right = [label == truth for label in found][: self._k]
        return right + [False] * (self._k - len(right))

    def _figures(
        self, mode: SearchMode, rows: Sequence[Sequence[bool]], truth: Sequence[str]
    ) -> ModeFigures:
        if not rows:
            raise InputError(
                "no query has a label of this archive",
                value=f"labels by {self._by}",
                expected=f"one of {', '.join(sorted(self._cases))}",
            )
        relevant = np.array(rows, bool)
        values = {
            "precision": precision_at(relevant, self._k),
            "accuracy_1": accuracy_at(relevant, 1),
            "accuracy_5": accuracy_at(relevant, 5),
        }
        names = np.array(truth)
        own = 1 if mode is SearchMode.IMAGE else 0
        classes = [
            ClassFigures(
                label=label,
                queries=int((names == label).sum()),
                cases=self._cases[label],
                ceiling=min(self._cases[label] - own, self._k) / self._k,
                **{key: float(value[names == label].mean()) for key, value in values.items()},
            )
            for label in sorted(set(truth))
        ]
        mean, low, high = macro_interval(values["precision"], truth)
        return ModeFigures(
            mode=mode.value,
            precision=mean,
            interval=(low, high),
            accuracy_1=float(np.mean([c.accuracy_1 for c in classes])),
            accuracy_5=float(np.mean([c.accuracy_5 for c in classes])),
            classes=classes,
        )
