"""Do generated pictures help to train a classifier?"""

from coin_retrieval.evaluation.augmentation.experiment import measure_augmentation

__all__ = ["measure_augmentation"]
