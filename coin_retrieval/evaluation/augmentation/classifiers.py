"""The classifier that is trained anew for every training set, on frozen features."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.evaluation.augmentation.training_sets import Rows, Weights
from coin_retrieval.evaluation.extras import require_classifier
from coin_retrieval.types import Features

_PENALTY = 0.01
_ITERATIONS = 500


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

    def __init__(self, pool: Features, labels: NDArray[np.str_], test: Features) -> None:
        require_classifier()
        self._pool, self._labels, self._test = pool, labels, test

    def train_and_name(self, rows: Rows, weights: Weights) -> NDArray[np.str_]:
        """The class of every test picture; ``weights`` [rows] sum to 1."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.preprocessing import StandardScaler

        scaler = StandardScaler().fit(self._pool[rows], sample_weight=weights)
        model = LogisticRegression(C=1 / _PENALTY, max_iter=_ITERATIONS)
        # with weights that sum to 1 the loss is a mean and C the inverse of its penalty
        model.fit(scaler.transform(self._pool[rows]), self._labels[rows], sample_weight=weights)
        return np.asarray(model.predict(scaler.transform(self._test)), np.str_)
