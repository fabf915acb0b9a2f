"""Are drawn pictures like real ones, and none of them a copy?"""

from coin_retrieval.evaluation.pictures.agreement import classifier_agreement
from coin_retrieval.evaluation.pictures.fidelity import compare_sets
from coin_retrieval.evaluation.pictures.memorisation import find_copies
from coin_retrieval.evaluation.pictures.picture_sets import read_pictures
from coin_retrieval.evaluation.pictures.prototype_sheet import draw_rows
from coin_retrieval.evaluation.pictures.spaces import open_space

__all__ = [
    "classifier_agreement",
    "compare_sets",
    "draw_rows",
    "find_copies",
    "open_space",
    "read_pictures",
]
