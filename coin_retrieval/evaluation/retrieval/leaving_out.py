"""Would the archive notice what it lacks? Each label, and each site, is taken out and asked for.

Near: one label is gone, all that resembles it is still there. Far: a whole site is gone, or was
never there. Thresholds are set anew for what is left, as a build would.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from coin_retrieval.archive.measured.calibration import PLACES, CloseMatch, close_match_from
from coin_retrieval.archive.measured.closeness import TextCloseness
from coin_retrieval.calibrating.text_closeness import holdings_of, text_closeness
from coin_retrieval.errors import InputError, UnsupportedError
from coin_retrieval.evaluation.retrieval.closeness import (
    ranked,
    refused,
)
from coin_retrieval.metrics.intervals import Estimate
from coin_retrieval.metrics.separation import auroc, share
from coin_retrieval.progress import Progress, counted, silent
from coin_retrieval.reports.plain import read_and_choose
from coin_retrieval.search.judging.closeness import Closeness, ReportJudge, judged
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.search.site import plan_site
from coin_retrieval.types import CaseRecord, ImageId, ImageRecord, Origin
from coin_retrieval.wordings.known import known_sentences
from coin_retrieval.wordings.labelled_reports import LabelledReport

Kind = Literal["label", "label, unheard of", "site", "elsewhere"]
Verdicts: TypeAlias = list[Closeness]
ELSEWHERE = "elsewhere"
_KINDS: Mapping[Kind, str] = {
    "label": "near: each label",
    "label, unheard of": "near, and no report of it is known",
    "site": "far: each site",
    "elsewhere": "far: of what the archive never held",
}


class LeftOutFigures(BaseModel):
    """One thing that was asked for where it is not; ``detected`` is the share of verdicts no."""

    model_config = ConfigDict(frozen=True)

    kind: Kind
    name: str
    queries: int
    auroc: Estimate
    detected: Estimate


class LeavingOutFigures(BaseModel):
    """What an archive notices. ``asked`` is what was asked: reports, or pictures.

    ``all`` sums up each kind; ``each`` has what was left out one by one. ``scores`` are by how much
    a query passes the threshold, by kind, ``inside`` those of the whole archive.
    """

    model_config = ConfigDict(frozen=True)

    asked: Literal["reports", "pictures"]
    by: str
    encoder: str
    inside: int
    stated: CloseMatch
    false_alarm_rate: Estimate
    all: list[LeftOutFigures]
    each: list[LeftOutFigures]
    scores: dict[str, list[float]]


@dataclass(frozen=True, slots=True)
class _Asked:
    """Verdicts on the queries of one thing, asked where it is not."""

    kind: Kind
    name: str
    found: Verdicts


def leave_out_reports(
    retriever: Retriever,
    reports: Sequence[LabelledReport],
    elsewhere: Sequence[str] = (),
    *,
    by: str = "finding",
    on: Progress = silent,
) -> LeavingOutFigures:
    """Ask with reports: of each label without it, of each site without it, and from elsewhere.

    Args:
        reports: those whose label the archive lacks are from elsewhere.
        elsewhere: further reports of what it lacks.

    Raises:
        InputError: no report has a label of the archive.
        UnsupportedError: the program knows no report of what the archive holds.
    """
    embedder = retriever.reports.sentences
    cases, images = _records(retriever)
    texts = [*(report.report for report in reports), *elsewhere]
    read = [read_and_choose(text) for text in texts]
    sentences = embedder.embed([words for _, words in read])
    held = {label: site for image in images if (label := str(getattr(image, by)))
            for site in [cases[image.case_id].site]}  # fmt: skip
    foreign = list(range(len(reports), len(texts)))
    of_label: dict[str, list[int]] = {label: [] for label in sorted(held)}
    for place, report in enumerate(reports):
        of_label.get(report.label, foreign).append(place)

    def built(left: Sequence[ImageRecord]) -> tuple[TextCloseness | None, Mapping[str, int]]:
        """What a build of these pictures measures, and its sites."""
        holdings = holdings_of((image, cases[image.case_id]) for image in left)
        block = text_closeness(holdings, known_sentences(), embedder)
        return block, Counter(cases[image.case_id].site for image in left)

    def judged_by(
        block: TextCloseness | None, sites: Mapping[str, int], places: Sequence[int], *unheard: str
    ) -> Verdicts:
        if block is None:
            return []
        judge = ReportJudge(block, block.threshold, embedder, unheard=unheard)
        return [
            judge.verdict(plan_site(read[n][0], Query(), sites), read[n][1], sentences[n : n + 1])
            for n in places
        ]

    whole = built(images)
    asked = [_Asked("elsewhere", ELSEWHERE, judged_by(*whole, foreign))]
    for label in counted(list(of_label), "labels", on):
        left = built([image for image in images if getattr(image, by) != label])
        asked.append(_Asked("label", label, judged_by(*left, of_label[label])))
        asked.append(_Asked("label, unheard of", label, judged_by(*left, of_label[label], label)))
    for site in counted(sorted(set(held.values())), "sites", on):
        left = built([image for image in images if cases[image.case_id].site != site])
        places = [n for label, of in held.items() if of == site for n in of_label[label]]
        asked.append(_Asked("site", site, judged_by(*left, places)))
    inside = judged_by(*whole, [place for places in of_label.values() for place in places])
    if not inside or inside[0].score is None:
        raise UnsupportedError(
            "this archive cannot judge reports",
            expected="labels that the program has reports of, and queries of some of them",
        )
    return _figures("reports", by, retriever, inside, asked)


def leave_out_pictures(
    retriever: Retriever, *, by: str = "finding", sample: int = 500, on: Progress = silent
) -> LeavingOutFigures:
    """The same with the archive's own pictures, each asked without its own case.

    Args:
        sample: at most so many pictures of each thing, and of the whole archive.

    Raises:
        InputError: no picture has a label.
    """
    cases, images = _records(retriever)
    vectors = retriever.archive.store.vectors(np.array([i.image_id for i in images], np.int64))
    case_of = np.array([image.case_id for image in images])
    hashes = np.array([image.content_hash for image in images])
    labels = np.array([str(getattr(image, by)) for image in images])
    sites = np.array([cases[case_id].site for case_id in case_of])
    random = np.random.default_rng(0)

    def nearness(places: NDArray[np.intp], left: NDArray[np.bool_]) -> NDArray[np.float64]:
        """The mean similarity of the first three cases of what is left; a copy never counts."""
        kept = np.flatnonzero(left)
        near = vectors[places] @ vectors[kept].T
        near[case_of[places][:, None] == case_of[kept]] = -1
        near[hashes[places][:, None] == hashes[kept]] = -1
        found = np.empty(len(places))
        for row, scores in enumerate(near):
            best: dict[str, float] = {}
            for place in np.argsort(-scores):
                best.setdefault(case_of[kept[place]], float(scores[place]))
                if len(best) == PLACES:
                    break
            found[row] = np.mean(list(best.values()))
        return found

    def some(of: NDArray[np.bool_]) -> NDArray[np.intp]:
        return random.permutation(np.flatnonzero(of))[:sample]

    def judged_by(left: NDArray[np.bool_], of: NDArray[np.bool_]) -> Verdicts:
        if left.sum() <= PLACES or not of.any():
            return []
        # half of them set the threshold, so that the others are judged by what they did not set
        setting = some(left)[: int(left.sum()) // 2]
        threshold = close_match_from(nearness(setting, left))
        asked = some(of & ~np.isin(np.arange(len(images)), setting))
        return [judged(score, threshold) for score in nearness(asked, left).tolist()]

    every = np.full(len(images), fill_value=True)
    asked = []
    for label in counted(sorted(set(labels) - {""}), "labels", on):
        asked.append(_Asked("label", label, judged_by(labels != label, labels == label)))
    for site in counted(sorted(set(sites) - {""}), "sites", on):
        asked.append(_Asked("site", site, judged_by(sites != site, sites == site)))
    return _figures("pictures", by, retriever, judged_by(every, every), asked)


def _records(retriever: Retriever) -> tuple[Mapping[str, CaseRecord], list[ImageRecord]]:
    """The real pictures and their cases; all of them, where none is real."""
    catalog = retriever.archive.catalog
    ids = (ImageId(i) for i in catalog.select({}).tolist())
    images = list(catalog.images(ids).values())
    real = [image for image in images if image.origin is Origin.REAL] or images
    return catalog.cases({image.case_id for image in real}), real


def _figures(
    of: Literal["reports", "pictures"],
    by: str,
    retriever: Retriever,
    inside: Verdicts,
    asked: Sequence[_Asked],
) -> LeavingOutFigures:
    answered = [one for one in asked if one.found]
    stated = inside[0].limit if inside else None
    if stated is None or not answered:
        raise InputError(
            "nothing can be left out",
            value=f"labels by {by}",
            expected=f"several labels, and {of} of them",
        )
    kinds: dict[Kind, list[Closeness]] = {}
    for one in answered:
        kinds.setdefault(one.kind, []).extend(one.found)
    return LeavingOutFigures(
        asked=of,
        by=by,
        encoder=str(retriever.archive.manifest.encoder),
        inside=len(inside),
        stated=stated,
        false_alarm_rate=share(refused(inside)),
        all=[_row(_Asked(kind, "all", found), inside) for kind, found in kinds.items()],
        each=[_row(one, inside) for one in answered],
        scores={
            kind: ranked(found, above=True).tolist()
            for kind, found in [("inside", inside), *kinds.items()]
        },
    )


def _row(one: _Asked, inside: Verdicts) -> LeftOutFigures:
    return LeftOutFigures(
        kind=one.kind,
        name=one.name,
        queries=len(one.found),
        auroc=auroc(ranked(inside, above=True), ranked(one.found, above=True)),
        detected=share(refused(one.found)),
    )


def to_markdown(figures: LeavingOutFigures) -> str:
    """What is noticed of each kind, then one by one; intervals are 95 %."""
    lines = [
        f"| left out, and asked for ({figures.asked}) | queries | AUROC | told so |",
        "|---|---|---|---|",
        *(f"| {_KINDS[row.kind]} | {row.queries} | {row.auroc} | {row.detected} |"
          for row in figures.all),
        "",
        f"{figures.inside} {figures.asked} of what the archive holds: false alarms "
        f"{figures.false_alarm_rate}, stated {figures.stated.false_alarm_words}.",
        "",
        "| one by one | | queries | AUROC | told so |",
        "|---|---|---|---|---|",
        *(f"| {row.name} | {row.kind} | {row.queries} | {row.auroc} | {row.detected} |"
          for row in figures.each if row.kind != "label, unheard of"),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"
