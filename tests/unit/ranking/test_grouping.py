from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from coin_retrieval.ranking.grouping import first_cases, group_by_case
from coin_retrieval.types import CaseRecord, Hit, ImageId, ImageRecord, Match


def record(image_id: int, case_id: str, diagnosis: str = "NILM") -> ImageRecord:
    return ImageRecord(ImageId(image_id), case_id, f"{image_id}.png", "", 8, 8, diagnosis)


@st.composite
def rankings(draw: st.DrawFn) -> list[Match]:
    """Matches of a few cases, best first, as a store ranks them."""
    owners = draw(st.lists(st.sampled_from("ABCDE"), max_size=20))
    diagnoses = draw(
        st.lists(
            st.sampled_from(["NILM", "LSIL", "HSIL"]), min_size=len(owners), max_size=len(owners)
        )
    )
    similarities = sorted(
        draw(st.lists(st.floats(-1, 1), min_size=len(owners), max_size=len(owners))), reverse=True
    )
    return [
        Match(record(i, case_id, diagnosis), similarity)
        for i, (case_id, diagnosis, similarity) in enumerate(
            zip(owners, diagnoses, similarities, strict=True)
        )
    ]


def order_of(matches: list[Match], k: int) -> tuple[str, ...]:
    hits = [Hit(m.image.image_id, m.similarity) for m in matches]
    return first_cases(hits, {m.image.image_id: m.image for m in matches}, k)


CASES = {case_id: CaseRecord(case_id) for case_id in "ABCDE"}


@given(rankings(), st.integers(1, 6))
def test_k_counts_cases_and_none_comes_twice(matches: list[Match], k: int) -> None:
    order = order_of(matches, k)
    assert len(set(order)) == len(order) == min(k, len({m.image.case_id for m in matches}))


@given(rankings(), st.integers(1, 5))
def test_asking_for_more_cases_only_appends(matches: list[Match], k: int) -> None:
    assert order_of(matches, k + 1)[:k] == order_of(matches, k)


@given(rankings())
def test_a_cases_similarity_is_its_best_images(matches: list[Match]) -> None:
    for case in group_by_case(order_of(matches, 5), matches, CASES):
        own = [m.similarity for m in matches if m.image.case_id == case.case.case_id]
        assert case.similarity == max(own) == case.matches[0].similarity


@given(rankings())
def test_cases_come_in_the_order_of_their_best_images(matches: list[Match]) -> None:
    similarities = [c.similarity for c in group_by_case(order_of(matches, 5), matches, CASES)]
    assert similarities == sorted(similarities, reverse=True)


@given(rankings())
def test_every_image_lies_under_its_own_case(matches: list[Match]) -> None:
    grouped = group_by_case(order_of(matches, 5), matches, CASES)
    assert all(m.image.case_id == case.case.case_id for case in grouped for m in case.matches)
    assert sum(len(case.matches) for case in grouped) == len(matches)


@given(rankings(), st.integers(1, 3))
def test_a_limit_on_images_hides_no_diagnosis(matches: list[Match], limit: int) -> None:
    grouped = group_by_case(order_of(matches, 5), matches, CASES, images_per_case=limit)
    for case in grouped:
        own = {m.image.diagnosis for m in matches if m.image.case_id == case.case.case_id}
        assert {m.image.diagnosis for m in case.matches} == own
        assert len(case.matches) <= limit + len(own)
