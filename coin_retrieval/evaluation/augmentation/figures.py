"""What an augmentation experiment found, ready for JSON and as a table."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from coin_retrieval.evaluation.augmentation.training_sets import Regime
from coin_retrieval.metrics.intervals import Estimate


class RegimeFigures(BaseModel):
    """Macro accuracies on the test pictures, one a seed.

    ``shots`` is real pictures a class, ``None`` for all and 0 for none; ``real`` and ``generated``
    count the training pictures; ``sd`` is over seeds, ``None`` for a single one; ``classes`` are
    the accuracies by class, averaged over seeds.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    shots: int | None
    real: int
    generated: int
    accuracies: list[float]
    mean: float
    sd: float | None
    classes: dict[str, float]


class Gain(BaseModel):
    """With generated pictures minus without, at the same real ones.

    ``interval`` is the 95 % bootstrap interval of the seeds' mean over the test pictures.
    """

    model_config = ConfigDict(frozen=True)

    shots: int | None
    differences: list[float]
    interval: Estimate
    sd: float | None


class AugmentationFigures(BaseModel):
    """Every training set, and what generated pictures add."""

    model_config = ConfigDict(frozen=True)

    classifier: str
    by: str
    real: str
    generated: str
    test: str
    test_pictures: int
    generated_weight: float
    seeds: list[int]
    regimes: list[RegimeFigures]
    gains: list[Gain]
    left_out: list[str]
    notes: list[str]


def to_markdown(figures: AugmentationFigures) -> str:
    """A row a number of real pictures: without, with generated, and the difference."""
    by_set = {(one.shots, one.generated > 0): one for one in figures.regimes}
    count = len(figures.seeds)
    lines = [
        f"| macro accuracy by {figures.by}, {count} seed{'s' if count > 1 else ''} | real "
        "| real + generated | difference a seed | mean difference (95 %, test pictures) |",
        "|---|---|---|---|---|",
        *(
            f"| {Regime(gain.shots, generated=False).name} "
            f"| {_accuracy(by_set[gain.shots, False])} | {_accuracy(by_set[gain.shots, True])} | "
            f"{', '.join(f'{d:+.3f}' for d in gain.differences)} | "
            f"{gain.interval.signed_markdown} |"
            for gain in figures.gains
        ),
        f"| generated only | – | {_accuracy(by_set[0, True])} | | |",
        "",
        f"- {figures.classifier[0].upper()}{figures.classifier[1:]}; tested on "
        f"{figures.test_pictures} real pictures of {figures.test}.",
        f"- Generated: {figures.generated}; those of a class weigh at most "
        f"{figures.generated_weight:g} × its real ones.",
        *([f"- Left out: {', '.join(figures.left_out)}."] if figures.left_out else []),
        *(f"- {note}" for note in figures.notes),
    ]
    return "\n".join(lines) + "\n"


def _accuracy(one: RegimeFigures) -> str:
    spread = "" if one.sd is None else f" ± {one.sd:.3f}"
    return f"{one.mean:.3f}{spread}"
