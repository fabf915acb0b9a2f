"""Do drawn pictures help to train a classifier?"""

from coin_retrieval.evaluation.augmentation.classifiers import LinearLearner
from coin_retrieval.evaluation.augmentation.experiment import measure_augmentation

__all__ = ["LinearLearner", "measure_augmentation"]
