"""What a study says, as figures with their intervals."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from coin_retrieval.metrics.intervals import Estimate
from coin_retrieval.study.kind import Kind


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True)


class Gain(_Figures):
    """One figure without and with retrieval, and the paired difference."""

    without: Estimate
    aided: Estimate
    gain: Estimate


class GroupGain(_Figures):
    """The gain in the first answer among some of the pictures."""

    group: str
    items: int
    first: Gain


class ReaderFigures(_Figures):
    """One reader: accuracy without and with retrieval, and what retrieval turned."""

    reader: str
    without: float
    aided: float
    mended: int = Field(description="wrong without, right with retrieval")
    spoilt: int = Field(description="right without, wrong with retrieval")
    p: float = Field(description="exact McNemar test, two-sided")


class PeriodFigures(_Figures):
    """Accuracy of a period by arm: a carry-over shows as a difference between the periods."""

    period: int
    without: float
    aided: float


class DiagnosisFigures(_Figures):
    """Diagnosis without and with retrieval."""

    kind: Kind = Kind.DIAGNOSIS
    title: str
    readers: int
    items: int
    readings: int
    planned: int
    pairs: int = Field(description="pictures that one reader read in both ways")
    readers_drawn: bool = Field(description="whether intervals speak of readers like these")
    first: Gain
    any: Gain = Field(description="the truth is among three answers")
    confidence: Gain
    seconds: Gain = Field(description="means")
    time_ratio: Estimate = Field(description="geometric mean of with over without")
    time_p: float = Field(description="Wilcoxon signed-rank test, two-sided")
    kappa: Gain = Field(description="between readers, mean of all pairs")
    by_finding: list[GroupGain]
    by_rarity: list[GroupGain]
    by_reader: list[ReaderFigures]
    by_period: list[PeriodFigures]


class RealOrDrawnFigures(_Figures):
    """Whether readers tell drawn pictures from real ones; 0.5 is chance."""

    kind: Kind = Kind.REAL_OR_DRAWN
    title: str
    readers: int
    items: int
    readings: int
    planned: int
    readers_drawn: bool
    accuracy: Estimate
    drawn_told: Estimate = Field(description="drawn pictures called drawn")
    real_told: Estimate = Field(description="real pictures called real")
    auroc: Estimate = Field(description="of confidence, signed by the answer")
    kappa: Estimate
    seconds: Estimate
    by_finding: list[tuple[str, int, Estimate]]
    by_reader: list[tuple[str, Estimate]]
