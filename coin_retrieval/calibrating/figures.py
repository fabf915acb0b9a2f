"""What a calibration found, ready for JSON."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from coin_retrieval.archive.manifest import MeasuredRecall
from coin_retrieval.archive.measured.calibration import CloseMatch
from coin_retrieval.catalog.base import Where
from coin_retrieval.metrics.intervals import Estimate
from coin_retrieval.search.retriever import Retriever


class MeasuredOn(BaseModel):
    """On what an archive's searches were measured, and with what."""

    model_config = ConfigDict(frozen=True)

    k: int
    by: str
    where: dict[str, list[str]]
    encoder: str
    generator: str = ""
    seed: int


def measured_on(
    retriever: Retriever, *, k: int, by: str, where: Where | None, seed: int
) -> dict[str, Any]:
    """The fields of a :class:`MeasuredOn`."""
    return {
        "k": k,
        "by": by,
        "where": {field: list(allowed) for field, allowed in (where or {}).items()},
        "encoder": str(retriever.archive.manifest.encoder),
        "generator": retriever.generator_name or "",
        "seed": seed,
    }


class ChoiceFigures(BaseModel):
    """What one rule of choosing is worth: cross-validated macro P@10 with its 95 % interval.

    ``name`` is a mode (the best way within it), ``calibrated`` (the best of all) or
    ``uncalibrated`` (the defaults: nothing is chosen). ``chosen`` is what the rule takes on all
    queries, ``agreeing_folds`` how many folds took the same. ``difference`` is the calibrated one's
    lead, paired.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    chosen: str
    agreeing_folds: int
    precision: Estimate
    difference: Estimate | None


class CalibrationFigures(MeasuredOn):
    """What a calibration found; ``candidates`` is among how many it chose.

    ``too_few`` says why nothing was chosen; empty if something was. ``recall`` is what an
    approximate index finds, also for the pictures that were drawn.
    """

    queries: int
    classes: int
    folds: int
    candidates: int
    choices: list[ChoiceFigures]
    close_match: CloseMatch | None
    too_few: str = ""
    recall: MeasuredRecall | None = None
