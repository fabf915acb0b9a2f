"""What an evaluation of retrieval found, ready for JSON."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field, computed_field

from coin_retrieval.calibrating.figures import MeasuredOn
from coin_retrieval.metrics.intervals import Estimate

FIGURES = (
    "precision", "average_precision", "ndcg", "majority_vote",
    "accuracy_1", "accuracy_3", "accuracy_5",
)  # fmt: skip
"""Fields of :class:`ClassFigures` and :class:`ModeFigures`, in the order of tables."""


def title(figure: str, k: int) -> str:
    """What the field calls a figure: ``average_precision`` is mAP@k."""
    if figure.startswith("accuracy_"):
        return f"ACC@{figure.removeprefix('accuracy_')}"
    names = {"precision": "P", "average_precision": "mAP", "ndcg": "nDCG", "majority_vote": "mMV"}
    return f"{names[figure]}@{k}"


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True)

    precision: float
    average_precision: float
    ndcg: float
    majority_vote: float
    accuracy_1: float
    accuracy_3: float
    accuracy_5: float


class ClassFigures(_Figures):
    """Figures of one class; ``ceiling`` is a perfect ranking's P@k, by how many cases there are."""

    label: str
    queries: int
    cases: int
    ceiling: float


class ModeFigures(_Figures):
    """Figures of one query mode: macro averages over classes, each with its 95 % interval."""

    mode: str
    queries: int
    intervals: dict[str, tuple[float, float]]
    classes: list[ClassFigures]

    @computed_field
    def interval(self) -> tuple[float, float]:
        """Of P@k."""
        return self.intervals["precision"]

    def estimate(self, figure: str) -> Estimate:
        """A macro average with its interval."""
        low, high = self.intervals[figure]
        return Estimate(mean=getattr(self, figure), low=low, high=high)


class Difference(BaseModel):
    """``mode`` minus ``baseline`` on the same queries: macro averages with paired intervals."""

    model_config = ConfigDict(frozen=True)

    mode: str
    baseline: str
    figures: dict[str, Estimate]


class RetrievalFigures(MeasuredOn):
    """What an evaluation found; ``where`` and ``by`` say on what.

    ``calibrated``: searched as the archive's calibration says. On the queries that it was made with
    figures are then too good; ``coin calibrate`` gives those that are not. ``undrawn`` reports were
    not asked: the encoder reads no text, and the generator never learned to draw them.
    """

    prototypes: int
    calibrated: bool = False
    undrawn: int = 0
    modes: list[ModeFigures] = Field(default_factory=list)
    differences: list[Difference] = Field(default_factory=list)
