"""Why a case was found, in a form that shows itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from coin_retrieval.api.page import render
from coin_retrieval.presenting.explanation import explanation, part_name

if TYPE_CHECKING:
    from coin_retrieval.presenting.answer import CaseAnswer, PartAnswer


class Explanation:
    """What each part of the query says of a case's best-matching picture.

    ``parts`` sum to ``score``, by which the picture was ranked: a part's ``share`` is its summand,
    ``cosine`` the picture's own similarity to it, ``rank`` where it alone would find the picture
    (only where the query has ``explain=True``).
    """

    def __init__(self, case: CaseAnswer) -> None:
        self._case = case
        self.score = case.images[0].score
        self.parts: list[PartAnswer] = case.images[0].parts

    @property
    def _heading(self) -> str:
        return f"Case {self._case.case_id}: similarity {self._case.similarity:.3f}"

    def __repr__(self) -> str:
        return f"{self._heading}; {explanation(self._case.images[0])}"

    def _repr_html_(self) -> str:
        ranked = any(part.rank is not None for part in self.parts)
        return render(
            "explanation.html",
            heading=self._heading,
            score=self.score,
            parts=self.parts,
            ranked=ranked,
            part_name=part_name,
        )
