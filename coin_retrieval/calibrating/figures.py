"""What a calibration found, ready for JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from coin_retrieval.archive.calibration import CloseMatch
from coin_retrieval.metrics.intervals import Estimate
from coin_retrieval.types import SearchMode


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


class CalibrationFigures(BaseModel):
    """What a calibration found; ``candidates`` is among how many it chose."""

    model_config = ConfigDict(frozen=True)

    k: int
    by: str
    where: dict[str, list[str]]
    queries: int
    classes: int
    folds: int
    candidates: int
    encoder: str
    generator: str
    seed: int
    choices: list[ChoiceFigures]
    close_match: dict[SearchMode, CloseMatch]
