"""Ranking many pictures at once gives what looking at each of them gives."""

from __future__ import annotations

import numpy as np
import pytest

from coin_retrieval.calibrating.case_ranking import CaseRanking, CaseVectors, RankFusion, Scores
from coin_retrieval.ranking.fusion import RRF_CONSTANT

SIZES = [1] * 900 + [3, 2, 40, 5] * 20
K = 10


@pytest.fixture(scope="module")
def pictures() -> CaseVectors:
    """1,900 pictures: cases of one, then cases of several."""
    random = np.random.default_rng(0)
    count = sum(SIZES)
    return CaseVectors(
        vectors=random.standard_normal((count, 6), np.float32),
        labels=random.choice(["red", "blue"], count),
        real=np.ones(count, bool),
        ids=random.permutation(count),
        starts=np.cumsum([0, *SIZES[:-1]]),
        cases=tuple(f"C{n}" for n in range(len(SIZES))),
    )


def one_by_one(pictures: CaseVectors, ranked: Scores, looks: Scores, own: str) -> float:
    """P@k for "red": every case by its best picture, its label that of the nearest one."""
    ends = [*pictures.starts[1:], len(pictures.ids)]
    best = {
        case: (-ranked[start:end].max(), pictures.labels[start + looks[start:end].argmax()])
        for case, start, end in zip(pictures.cases, pictures.starts, ends, strict=True)
        if case != own
    }
    first = sorted(best, key=lambda case: best[case][0])[:K]
    return sum(best[case][1] == "red" for case in first) / K


@pytest.mark.parametrize("own", ["", "C3", "C902"])
def test_the_precision_is_that_of_every_case_ranked_by_its_nearest_picture(
    pictures: CaseVectors, own: str
) -> None:
    rows = np.random.default_rng(1).standard_normal((7, 6), np.float32)
    scores = rows @ pictures.vectors.T
    expected = [one_by_one(pictures, row, row, own) for row in scores.copy()]
    found = CaseRanking(pictures).precision(scores, "red", own_case=own, k=K)
    assert found.tolist() == expected
    assert len(set(expected)) > 1


@pytest.mark.parametrize("own", ["", "C3", "C902"])
def test_rankings_fused_are_those_of_every_picture_ranked(pictures: CaseVectors, own: str) -> None:
    random = np.random.default_rng(2)
    near = np.ascontiguousarray(pictures.vectors.T)
    fusions, expected = [], []
    depth = 4 * (K + bool(own))
    for weight in (0.2, 0.7):
        rows = random.standard_normal((3, 6), np.float32)
        weights = np.array([weight, 0.6 * (1 - weight), 0.4 * (1 - weight)])
        fusions.append(RankFusion(rows, weights, rows[0]))
        ranks = np.argsort(np.argsort(-(rows @ near), axis=1), axis=1) + 1
        gains = np.where(ranks <= depth, weights[:, None] / (RRF_CONSTANT + ranks), 0)
        expected.append(one_by_one(pictures, gains.sum(axis=0), rows[0] @ near, own))
    ranking = CaseRanking(pictures)
    found = ranking.fused_precision(near, fusions, "red", own_case=own, k=K)
    assert found.tolist() == expected


def test_an_archive_of_fewer_cases_than_places_leaves_places_empty(pictures: CaseVectors) -> None:
    few = CaseVectors(
        pictures.vectors[:4], np.array(["red"] * 4), pictures.real[:4], np.arange(4),
        np.array([0, 1, 2]), ("C0", "C1", "C2"),
    )  # fmt: skip
    rows = pictures.vectors[:1]
    ranking = CaseRanking(few)
    near = few.vectors.T
    fusion = RankFusion(np.concatenate([rows, rows]), np.array([0.5, 0.5]), rows[0])
    assert ranking.precision(rows @ near, "red", own_case="C2", k=K).tolist() == [0.2]
    assert ranking.fused_precision(near, [fusion], "red", own_case="C2", k=K).tolist() == [0.2]
