"""Cases with the parts of their scores, and how they stand among the archive's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from coin_retrieval.archive.measured.similarity_scale import SimilarityScale
from coin_retrieval.ranking.case_search import CaseSearch
from coin_retrieval.ranking.parts import Explanation, Ranks
from coin_retrieval.ranking.standing import standing_of
from coin_retrieval.types import CaseMatch


def explained(
    cases: Sequence[CaseMatch],
    explanation: Explanation,
    searched: CaseSearch,
    scale: SimilarityScale | None,
    *,
    rankings: Sequence[Ranks] = (),
    alone: Sequence[Ranks] = (),
) -> tuple[CaseMatch, ...]:
    """The cases with every match's parts, its score their sum.

    Args:
        rankings: that were fused, where ranks were: each picture's score is its rank's.
        alone: where each part alone would find the pictures, where that was asked for.
    """
    ids = [match.image.image_id for case in cases for match in case.matches]
    if not ids:
        return tuple(cases)
    told = explanation.parts(ids, searched.vectors(ids), rankings=rankings, alone=alone)
    parts = dict(zip(ids, told, strict=True))
    return tuple(
        replace(
            case,
            matches=tuple(
                replace(
                    match,
                    parts=(own := parts[match.image.image_id]),
                    score=sum(part.share for part in own) if rankings else match.similarity,
                )
                for match in case.matches
            ),
            standing=standing_of(parts[case.matches[0].image.image_id], scale),
        )
        for case in cases
    )
