"""Classifiers that are trained anew for every training set: one on frozen features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.evaluation.augmentation.training_sets import Pool, Rows, Weights
from coin_retrieval.evaluation.extras import require_classifier
from coin_retrieval.evaluation.pictures.picture_sets import PictureSet
from coin_retrieval.evaluation.pictures.spaces import FeatureSpace
from coin_retrieval.progress import Progress, silent
from coin_retrieval.types import Features

TRAINING = "training"
"""What a step of a training is called to a listener."""

_PENALTY = 0.01
_ITERATIONS = 500


class Classifier(Protocol):
    """Trains on rows of a pool and names the class of every test picture."""

    @property
    def description(self) -> str:
        """What it is, for people."""
        ...

    @property
    def repeatable(self) -> bool:
        """Whether the seed changes nothing."""
        ...

    @property
    def steps(self) -> int:
        """Of one training, as progress is shown."""
        ...

    def train_and_name(
        self, rows: Rows, weights: Weights, *, seed: int, on: Progress = silent
    ) -> NDArray[np.str_]:
        """The class of every test picture; ``weights`` [rows] sum to 1."""
        ...


class Learner(Protocol):
    """A kind of classifier, before it has seen a picture."""

    @property
    def size_px(self) -> int | None:
        """The square that every picture is brought to; ``None`` leaves them."""
        ...

    def prepare(
        self, real: PictureSet, generated: PictureSet, test: PictureSet, pool: Pool, on: Progress
    ) -> Classifier:
        """Read the pictures once, for all trainings; ``pool`` is of the first two."""
        ...


@dataclass(frozen=True, slots=True)
class LinearLearner:
    """Logistic regression on the features of a space."""

    space: FeatureSpace

    @property
    def size_px(self) -> int | None:
        """Of the space."""
        return self.space.size_px

    def prepare(
        self, real: PictureSet, generated: PictureSet, test: PictureSet, pool: Pool, on: Progress
    ) -> Classifier:
        """See :class:`Learner`."""
        seen, drawn, unseen = (self.space.features(one, on) for one in (real, generated, test))
        return LinearClassifier(
            np.concatenate([seen, drawn]), pool.labels, unseen, encoder=str(self.space.encoder.spec)
        )


class LinearClassifier:
    """Logistic regression on standardised frozen features.

    The penalty on the mean loss is the same for every training set, because the weights sum to 1:
    with sklearn's sum, adding pictures alone would loosen it.

    Args:
        pool, test: float32 [n dim].
        labels: the label of each row of the pool.

    Raises:
        MissingDependencyError: scikit-learn is not installed.
    """

    repeatable = True
    steps = 1

    def __init__(
        self, pool: Features, labels: NDArray[np.str_], test: Features, *, encoder: str
    ) -> None:
        require_classifier()
        self._pool, self._labels, self._test = pool, labels, test
        self.description = f"logistic regression on frozen features of {encoder}"

    def train_and_name(
        self, rows: Rows, weights: Weights, *, seed: int, on: Progress = silent
    ) -> NDArray[np.str_]:
        """See :class:`Classifier`; ``seed`` changes nothing."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(self._pool[rows], sample_weight=weights)
        model = LogisticRegression(C=1 / _PENALTY, max_iter=_ITERATIONS)
        # with weights that sum to 1 the loss is a mean and C the inverse of its penalty
        model.fit(scaler.transform(self._pool[rows]), self._labels[rows], sample_weight=weights)
        on(TRAINING, 1, self.steps)
        return np.asarray(model.predict(scaler.transform(self._test)), np.str_)
