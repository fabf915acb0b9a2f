"""Do drawn pictures mean what they should? A classifier that never saw one names their class.

It is trained on real pictures only, on frozen features of an encoder that neither the archive nor
the generator uses, and judged on real held-out pictures too: its accuracy on drawn pictures over
that on real ones is what the drawings keep of their meaning (the accuracy of Ravuri, Vinyals 2019,
arXiv 1905.10887, with the roles of the two sets swapped: train on real, test on synthetic).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from coin_retrieval.errors import InputError
from coin_retrieval.evaluation.extras import require_classifier
from coin_retrieval.evaluation.pictures.picture_sets import PictureSet, notes_on, require_disjoint
from coin_retrieval.evaluation.pictures.spaces import FeatureSpace
from coin_retrieval.metrics.bootstrap import (
    macro_draws,
    macro_interval,
    macro_mean,
    quantile_interval,
)
from coin_retrieval.metrics.intervals import Estimate
from coin_retrieval.progress import Progress, silent
from coin_retrieval.types import Features

_INVERSE_REGULARISATION = 0.01
_ITERATIONS = 500
_FEWEST = 5


@dataclass(frozen=True, slots=True)
class LabelledFeatures:
    """Features float32 [n dim], the class and the case of each row."""

    features: Features
    labels: Sequence[str]
    cases: Sequence[str]

    def of(self, classes: Sequence[str]) -> LabelledFeatures:
        """Only the rows of some classes."""
        kept = [i for i, label in enumerate(self.labels) if label in set(classes)]
        return LabelledFeatures(
            self.features[kept], [self.labels[i] for i in kept], [self.cases[i] for i in kept]
        )


class ClassAgreement(BaseModel):
    """Accuracy on one class; ``mistaken_for`` is what drawn pictures are most often called else."""

    model_config = ConfigDict(frozen=True)

    label: str
    training: int
    held_out: int
    generated: int
    accuracy_held_out: float
    accuracy_generated: float
    ratio: float | None
    mistaken_for: str


class AgreementFigures(BaseModel):
    """Macro accuracies with 95 % intervals, their ratio, and every class."""

    model_config = ConfigDict(frozen=True)

    encoder: str
    by: str
    size_px: int | None
    held_out: Estimate
    generated: Estimate
    ratio: Estimate
    classes: list[ClassAgreement]
    left_out: list[str]
    notes: list[str]


def classifier_agreement(
    space: FeatureSpace,
    generated: PictureSet,
    training: PictureSet,
    held_out: PictureSet,
    *,
    by: str = "finding",
    on: Progress = silent,
) -> AgreementFigures:
    """Does a classifier trained on real pictures name the class of drawn ones?

    Raises:
        MissingDependencyError: scikit-learn is not installed.
        CaseTableError: a training or held-out picture that is not real.
        InputError: training and held-out pictures share a case, or fewer than two classes are left.
        ImageError: a picture that cannot be read.
    """
    require_classifier()
    require_disjoint(training, held_out)
    sets = [pictures.labelled(by) for pictures in (training, held_out, generated)]
    labelled = (
        LabelledFeatures(space.features(one, on), one.labels(by), [row.case_id for row in one.rows])
        for one in sets
    )
    return measure_agreement(
        *labelled,
        encoder=str(space.encoder.spec),
        by=by,
        size_px=space.size_px,
        notes=notes_on(training, generated, size_px=space.size_px),
    )


def measure_agreement(
    training: LabelledFeatures,
    held_out: LabelledFeatures,
    generated: LabelledFeatures,
    *,
    encoder: str,
    by: str = "finding",
    size_px: int | None = None,
    notes: Sequence[str] = (),
) -> AgreementFigures:
    """Train on real, judge on held-out real and on drawn pictures.

    A class needs 5 training pictures and one of each other set; the others are ``left_out``, and
    the classifier does not know them. The ratio's interval draws both sets anew.

    Raises:
        InputError: fewer than two classes are left.
        MissingDependencyError: scikit-learn is not installed.
    """
    every = set(training.labels) | set(held_out.labels) | set(generated.labels)
    classes = [
        label
        for label in sorted(every)
        if list(training.labels).count(label) >= _FEWEST
        and label in held_out.labels
        and label in generated.labels
    ]
    if len(classes) < 2:
        raise InputError(
            "too few classes to tell apart",
            value=classes,
            expected=f"two or more with {_FEWEST} training, one held-out and one drawn picture",
            remedy=f"check the column {by} of the three manifests",
        )
    train, real, drawn = (part.of(classes) for part in (training, held_out, generated))
    named_real, named_drawn = _fit_and_name(train, real.features, drawn.features)
    right_real, right_drawn = _right(named_real, real), _right(named_drawn, drawn)
    return AgreementFigures(
        encoder=encoder,
        by=by,
        size_px=size_px,
        held_out=macro_interval(right_real, real.labels, cases=real.cases),
        generated=macro_interval(right_drawn, drawn.labels, cases=drawn.cases),
        ratio=_ratio(right_drawn, drawn, right_real, real),
        classes=[
            _of_class(label, train, (real, named_real), (drawn, named_drawn)) for label in classes
        ],
        left_out=sorted(every - set(classes)),
        notes=list(notes),
    )


def to_markdown(figures: AgreementFigures) -> str:
    """A row a class, the macro averages below."""
    lines = [
        f"| accuracy by {figures.by} | training | held-out | generated | real | drawn | ratio | "
        "drawn most often mistaken for |",
        "|" + "---|" * 8,
        *(
            f"| {c.label} | {c.training} | {c.held_out} | {c.generated} | "
            f"{c.accuracy_held_out:.2f} | {c.accuracy_generated:.2f} | "
            f"{'–' if c.ratio is None else f'{c.ratio:.2f}'} | {c.mistaken_for or '–'} |"
            for c in figures.classes
        ),
        f"| **macro** (95 % interval) | | | | {figures.held_out} | {figures.generated} | "
        f"**{figures.ratio}** | |",
        "",
        f"- Logistic regression on frozen features of {figures.encoder}, trained on real only.",
        *([f"- Left out: {', '.join(figures.left_out)}."] if figures.left_out else []),
        *(f"- {note}" for note in figures.notes),
    ]
    return "\n".join(lines) + "\n"


def _fit_and_name(train: LabelledFeatures, *features: Features) -> tuple[NDArray[np.str_], ...]:
    require_classifier()
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(
        StandardScaler(),
        LogisticRegression(
            C=_INVERSE_REGULARISATION, max_iter=_ITERATIONS, class_weight="balanced"
        ),
    )
    model.fit(train.features, np.array(train.labels))
    return tuple(model.predict(rows) for rows in features)


def _right(named: NDArray[np.str_], asked: LabelledFeatures) -> NDArray[np.float64]:
    return np.asarray(named == np.array(asked.labels), np.float64)


def _ratio(
    right_drawn: NDArray[np.float64],
    drawn: LabelledFeatures,
    right_real: NDArray[np.float64],
    real: LabelledFeatures,
) -> Estimate:
    real_mean = macro_mean(right_real, real.labels)
    if not real_mean:
        raise InputError(
            "the classifier names no held-out picture right, so it can judge nothing",
            value=f"{len(real.labels)} held-out pictures",
            remedy="check that the manifests use the same labels, or take another encoder",
        )
    above = macro_draws(right_drawn, drawn.labels, cases=drawn.cases, seed=1)
    below = macro_draws(right_real, real.labels, cases=real.cases, seed=2)
    low, high = quantile_interval(above / np.maximum(below, np.finfo(np.float64).tiny))
    mean = macro_mean(right_drawn, drawn.labels) / real_mean
    return Estimate(mean=mean, low=low, high=high)


def _of_class(
    label: str,
    training: LabelledFeatures,
    real: tuple[LabelledFeatures, NDArray[np.str_]],
    drawn: tuple[LabelledFeatures, NDArray[np.str_]],
) -> ClassAgreement:
    on_real, on_drawn = (
        [str(name) for name, true in zip(named, asked.labels, strict=True) if true == label]
        for asked, named in (real, drawn)
    )
    accuracy_real, accuracy_drawn = (on.count(label) / len(on) for on in (on_real, on_drawn))
    mistakes = Counter(name for name in on_drawn if name != label).most_common(1)
    return ClassAgreement(
        label=label,
        training=list(training.labels).count(label),
        held_out=len(on_real),
        generated=len(on_drawn),
        accuracy_held_out=accuracy_real,
        accuracy_generated=accuracy_drawn,
        ratio=accuracy_drawn / accuracy_real if accuracy_real else None,
        mistaken_for=mistakes[0][0] if mistakes else "",
    )
