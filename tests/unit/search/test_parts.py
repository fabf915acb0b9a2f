from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from unit.search.test_retriever import REPORT, CountingGenerator

from coin_retrieval.archive import Archive
from coin_retrieval.config import FusionSettings, ModalityMeans
from coin_retrieval.encoding.open_clip.encoder import OpenClipEncoder
from coin_retrieval.generation.diffusers import DiffusersGenerator
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.search.query import Query
from coin_retrieval.search.result import SearchResult
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.types import Match, Part, RgbImage, SearchMode

EVERYTHING = Query(
    report=REPORT, prototypes=2, k=6, liked=("C2",), disliked=("C3",), unlike="Clue cells."
)


@pytest.fixture
def make(archive: Archive, encoder: OpenClipEncoder, generator: DiffusersGenerator, tmp_path: Path):
    def retriever(**fusion: object) -> Retriever:
        settings = FusionSettings.model_validate(fusion)
        cache = PrototypeCache(tmp_path)
        return Retriever(archive, encoder, CountingGenerator(generator), cache, settings)

    return retriever


@pytest.fixture
def means(encoder: OpenClipEncoder) -> ModalityMeans:
    random = np.random.default_rng(0)
    rows = [tuple((0.05 * random.normal(size=encoder.spec.dim)).tolist()) for _ in range(3)]
    return ModalityMeans(text=rows[0], generated=rows[1], real=rows[2])


def matches(result: SearchResult) -> list[Match]:
    return [match for case in result.cases for match in case.matches]


def part(match: Match, kind: str) -> Part:
    return next(one for one in match.parts if one.kind == kind)


@pytest.mark.parametrize("method", ["mean", "max", "rrf"])
@pytest.mark.parametrize("whitening", [0.0, 0.3])
@pytest.mark.parametrize("centring", [False, True])
def test_the_parts_add_up_to_the_score(
    make, means: ModalityMeans, patches: list[RgbImage], method: str, whitening: float,
    centring: bool,
) -> None:  # fmt: skip
    retriever = make(method=method, whitening=whitening, centring=centring, means=means)
    for match in matches(retriever.search(EVERYTHING, patches[1])):
        assert match.score == pytest.approx(sum(one.share for one in match.parts), abs=1e-5)
        if method != "rrf":
            assert match.score == match.similarity


def test_everything_that_a_query_is_made_of_is_a_part(make, patches: list[RgbImage]) -> None:
    match = matches(make(whitening=0.3).search(EVERYTHING, patches[1]))[0]
    assert [(one.kind, one.label) for one in match.parts] == [
        ("text", ""),
        ("prototype", "0"),
        ("prototype", "1"),
        ("image", ""),
        ("liked", "C2"),
        ("disliked", "C3"),
        ("unlike", ""),
        ("archive", ""),
    ]


def test_a_cosine_is_the_pictures_own_whatever_is_corrected(
    make, means: ModalityMeans, archive: Archive, encoder: OpenClipEncoder
) -> None:
    retriever = make(whitening=0.3, centring=True, means=means)
    (text,) = encoder.encode_text([REPORT])
    for match in matches(retriever.search(Query(report=REPORT, prototypes=1, k=6))):
        (vector,) = archive.store.vectors(np.array([match.image.image_id]))
        assert part(match, "text").cosine == pytest.approx(float(vector @ text), abs=1e-5)
        assert part(match, "text").corrected != pytest.approx(part(match, "text").cosine, abs=1e-4)


def test_without_corrections_both_cosines_are_one(make) -> None:
    for match in matches(make().search(Query(report=REPORT, prototypes=1, k=6))):
        for one in match.parts:
            assert one.corrected == pytest.approx(one.cosine, abs=1e-5)


def test_a_texts_share_follows_its_weight(make) -> None:
    query = Query(report=REPORT, prototypes=2, k=6)
    all_text = matches(make(text_weight=1).search(query))[0]
    assert part(all_text, "text").share == pytest.approx(all_text.similarity, abs=1e-5)
    assert part(all_text, "prototype").share == pytest.approx(0, abs=1e-5)


def test_a_subtracted_part_takes_off_what_it_resembles(make) -> None:
    for match in matches(make().search(EVERYTHING)):
        disliked = part(match, "disliked")
        assert disliked.share * disliked.cosine <= 0


def test_ranks_are_those_of_each_part_alone_and_only_told_if_asked(make) -> None:
    retriever = make()
    plain = Query(report=REPORT, prototypes=1, k=6)
    told = retriever.search(plain.model_copy(update={"explain": True}))
    by_text = retriever.search(Query(report=REPORT, mode=SearchMode.TEXT, k=6))
    order = [case.matches[0].image.image_id for case in by_text.cases]
    rank = {match.image.image_id: part(match, "text").rank for match in matches(told)}
    assert sorted(order, key=lambda i: rank[i] or 0) == order
    assert rank[order[0]] == 1
    assert all(one.rank is None for m in matches(retriever.search(plain)) for one in m.parts)


def test_of_fused_ranks_the_score_is_their_sum_and_orders_the_cases(make) -> None:
    found = make(method="rrf").search(Query(report=REPORT, prototypes=3, k=6))
    best = [max(match.score or 0 for match in case.matches) for case in found.cases]
    assert best == sorted(best, reverse=True)
    assert best[0] <= 1 / 61 + 1e-9


def test_a_picture_alone_is_its_own_only_part(make, patches: list[RgbImage]) -> None:
    match = matches(make(whitening=0.3).search(Query(), patches[4]))[0]
    assert [one.kind for one in match.parts] == ["image"]
    assert match.parts[0].share == pytest.approx(1, abs=1e-5)
