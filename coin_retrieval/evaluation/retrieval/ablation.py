"""What does each step of building a query bring? One thing is changed at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pydantic import BaseModel, ConfigDict

from coin_retrieval.calibrating.candidate_scores import CandidateScores, spaces_of
from coin_retrieval.calibrating.candidates import Candidate
from coin_retrieval.calibrating.case_ranking import case_vectors
from coin_retrieval.calibrating.figures import MeasuredOn, measured_on
from coin_retrieval.calibrating.labelled_pictures import labelled_pictures
from coin_retrieval.calibrating.query_bank import (
    askable,
    embed_queries,
    modality_means,
    modes_to_try,
)
from coin_retrieval.catalog.base import Where
from coin_retrieval.config import FusionSettings, ModalityMeans
from coin_retrieval.metrics.bootstrap import macro_interval
from coin_retrieval.metrics.intervals import Estimate
from coin_retrieval.progress import Progress, silent
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.types import SearchMode
from coin_retrieval.wordings.labelled_reports import LabelledReport, independent_units

COUNTS = (1, 2, 4, 8)
WEIGHTS = tuple(tenth / 10 for tenth in range(11))
WHITENINGS = (0.02, 0.05, 0.1, 0.5)


@dataclass(frozen=True, slots=True)
class Variant:
    """A row of the table: ``name`` says what is changed of the default of ``step``.

    Not ``gated``: every drawing counts, whatever it shows.
    """

    step: str
    name: str
    way: Candidate
    default: Candidate
    gated: bool = True


class AblationRow(BaseModel):
    """Macro P@k with its 95 % interval, and the paired difference to the step's default."""

    model_config = ConfigDict(frozen=True)

    step: str
    variant: str
    query: str
    is_default: bool
    precision: Estimate
    difference: Estimate | None


class AblationFigures(MeasuredOn):
    """What each step brings; ``where`` and ``by`` say on what."""

    queries: int
    classes: int
    rows: list[AblationRow]


def variants(modes: Sequence[SearchMode], means: ModalityMeans, *, drawn: int) -> list[Variant]:
    """Every row: what the modes allow, each default once in its step.

    Steps are shown in every mode that they change: what is clear for prototypes alone a text may
    hide.
    """
    plain = FusionSettings(means=means)
    usual = min(drawn, 4)
    base = {
        SearchMode.FUSED: Candidate(SearchMode.FUSED, plain, usual),
        SearchMode.PROTOTYPE: Candidate(SearchMode.PROTOTYPE, plain, usual),
        SearchMode.TEXT: Candidate(SearchMode.TEXT, plain, 0),
    }
    rows: list[Variant] = []

    def add(step: str, mode: SearchMode, name: str, **change: object) -> None:
        default = base[mode]
        way = replace(default, fusion=default.fusion.model_copy(update=change))
        rows.append(Variant(step, name, way, default))

    if SearchMode.PROTOTYPE in modes:
        for count in (n for n in COUNTS if n <= drawn):
            default = base[SearchMode.PROTOTYPE]
            rows.append(
                Variant("prototypes", f"{count}", replace(default, prototypes=count), default)
            )
    for mode in (m for m in (SearchMode.PROTOTYPE, SearchMode.FUSED) if m in modes):
        usual_way, step = base[mode], f"gate ({mode})"
        rows.append(Variant(step, "on", usual_way, usual_way))
        rows.append(Variant(step, "off", usual_way, usual_way, gated=False))
        for method in ("mean", "rrf", "max"):
            add(f"method ({mode})", mode, method, method=method)
    for mode in (m for m in base if m in modes):
        add(f"corrections ({mode})", mode, "none")
        if mode is not SearchMode.TEXT:
            add(f"corrections ({mode})", mode, "shift", shift=True)
        if mode is not SearchMode.PROTOTYPE:
            add(f"corrections ({mode})", mode, "centring", centring=True)
    for mode in (m for m in base if m in modes):
        add(f"whitening ({mode})", mode, "off")
        for strength in WHITENINGS:
            add(f"whitening ({mode})", mode, f"{strength:g}", whitening=strength)
    if SearchMode.FUSED in modes:
        for weight in WEIGHTS:
            add("text weight", SearchMode.FUSED, f"{weight:g}", text_weight=weight)
    return rows


def ablate(
    retriever: Retriever,
    reports: Sequence[LabelledReport],
    *,
    by: str = "finding",
    where: Where | None = None,
    k: int = 10,
    prototypes: int = 8,
    seed: int = 0,
    on: Progress = silent,
) -> AblationFigures:
    """What each step of building a query brings, on the same reports; nothing is chosen.

    Args and Raises as :func:`.calibrate` has them.
    """
    modes = modes_to_try(retriever)
    labelled = labelled_pictures(retriever.archive, where=where, by=by)
    asked = askable(retriever, labelled.answerable(reports))
    bank, ungated = (
        embed_queries(
            retriever, asked, modes=modes, prototypes=prototypes, seed=seed, gate=gate, on=on
        )
        for gate in (True, False)
    )
    pictures = case_vectors(retriever.archive, labelled)
    drawn = prototypes if SearchMode.PROTOTYPE in modes else 0
    tried = variants(modes, modality_means(bank, pictures.mean), drawn=drawn)
    ways = list(dict.fromkeys(way for row in tried for way in (row.way, row.default)))
    spaces = spaces_of(retriever.archive.store, WHITENINGS)
    scores = CandidateScores(pictures, spaces=spaces, k=k)
    values = scores.precisions(bank, ways, on=on)
    without = [row.default for row in tried if not row.gated]
    values_ungated = scores.precisions(ungated, without, on=on) if without else values
    classes, units = [report.label for report in asked], independent_units(asked)

    def figures(row: Variant) -> AblationRow:
        default = values[ways.index(row.default)]
        own = values[ways.index(row.way)]
        if not row.gated:
            own = values_ungated[without.index(row.way)]
        is_default = row.gated and row.way == row.default
        return AblationRow(
            step=row.step,
            variant=row.name,
            query=str(row.way),
            is_default=is_default,
            precision=macro_interval(own, classes, cases=units),
            difference=None if is_default else macro_interval(own - default, classes, cases=units),
        )

    return AblationFigures(
        **measured_on(retriever, k=k, by=by, where=where, seed=seed),
        queries=len(asked),
        classes=len(set(classes)),
        rows=[figures(row) for row in tried],
    )


def to_markdown(figures: AblationFigures) -> str:
    """One table; a difference whose interval holds no 0 is bold."""
    lines = [
        f"| step | variant | P@{figures.k} (95 % interval) | difference to the default |",
        "|---|---|---|---|",
    ]
    before = ""
    for row in figures.rows:
        step = row.step if row.step != before else ""
        before = row.step
        lead = row.difference.signed_markdown if row.difference else "default"
        lines.append(f"| {step} | {row.variant} | {row.precision} | {lead} |")
    return "\n".join(lines) + "\n"
