"""How good is each way of asking on an archive?"""

from coin_retrieval.evaluation.retrieval.ablation import ablate
from coin_retrieval.evaluation.retrieval.closeness import close_match
from coin_retrieval.evaluation.retrieval.modes import evaluate
from coin_retrieval.evaluation.retrieval.questions import questions_of

__all__ = ["ablate", "close_match", "evaluate", "questions_of"]
