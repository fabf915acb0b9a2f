from __future__ import annotations

from collections.abc import Sequence
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coin_retrieval.archive.measured.calibration import CloseMatch
from coin_retrieval.metrics.intervals import wilson
from coin_retrieval.ranking.case_search import Found
from coin_retrieval.search.judging import support
from coin_retrieval.search.judging.support import Support, judged_cases, shares_of
from coin_retrieval.types import CaseMatch, CaseRecord, ImageId, ImageRecord, Match, Origin

THRESHOLD = CloseMatch(threshold=0.5, false_alarm_rate=0.05, queries=100, places=3)

votes = st.lists(
    st.tuples(st.sampled_from(["NILM", "LSIL", "HSIL", ""]), st.floats(-1, 1)),
    min_size=1,
    max_size=20,
)


_numbers = count()


def case(
    diagnosis: str,
    similarity: float,
    *,
    origin: Origin = Origin.REAL,
    patient: str = "",
    slide: str = "",
    site: str = "",
) -> CaseMatch:
    number = next(_numbers)
    case_id = f"C{number}"
    image = ImageRecord(
        ImageId(number), case_id, "", "", 8, 8, diagnosis, origin=origin, slide_id=slide
    )
    record = CaseRecord(case_id, site, patient_id=patient)
    return CaseMatch(record, similarity, (Match(image, similarity),))


def support_of(
    cases: Sequence[CaseMatch],
    *,
    ties: Sequence[tuple[CaseMatch, CaseMatch]] = (),
    own: Sequence[CaseMatch] = (),
) -> Support | None:
    pairs = tuple((one.case.case_id, other.case.case_id) for one, other in ties)
    found = Found(tuple(cases), tuple(cases), tuple(own), pairs, (), exact=True, bounds=())
    return support.support_of(found)


def counted(found: Support | None) -> tuple[dict[str, int], str]:
    assert found is not None
    return {share.diagnosis: share.count for share in found.shares}, found.unit


@given(votes)
def test_shares_sum_to_one_and_lie_within_their_intervals(found: list[tuple[str, float]]) -> None:
    shares = shares_of(found)
    assert sum(s.share for s in shares) == pytest.approx(1)
    assert sum(s.count for s in shares) == len(found)
    assert all(0 <= s.low <= s.share <= s.high <= 1 for s in shares)


def test_equal_similarities_count_cases() -> None:
    lsil, nilm = shares_of([("LSIL", 0.8), ("NILM", 0.8), ("LSIL", 0.8)])
    assert (lsil.diagnosis, lsil.count, lsil.share) == ("LSIL", 2, pytest.approx(2 / 3))
    assert (lsil.low, lsil.high) == pytest.approx(wilson(2 / 3, 3))
    assert nilm.count == 1


def test_a_nearer_case_weighs_more() -> None:
    near, far = shares_of([("HSIL", 0.9), ("NILM", 0.3)])
    assert (near.diagnosis, near.share) == ("HSIL", pytest.approx(0.75))
    assert far.share == pytest.approx(0.25)


def test_uneven_weights_widen_the_interval() -> None:
    even = shares_of([("A", 0.5)] * 4)[0]
    uneven = shares_of([("A", 0.9), ("A", 0.1), ("A", 0.1), ("A", 0.1)])[0]
    assert uneven.share == even.share == 1
    assert uneven.low < even.low


def test_all_cases_agreeing_is_no_certainty() -> None:
    (share,) = shares_of([("LSIL", 0.9)] * 10)
    assert share.high == 1
    assert share.low == pytest.approx(0.722, abs=1e-3)


def test_cases_without_a_diagnosis_are_counted_and_stand_last() -> None:
    assert [s.diagnosis for s in shares_of([("", 0.9), ("", 0.9), ("NILM", 0.9)])] == ["NILM", ""]


def test_where_nothing_resembles_the_query_every_case_weighs_the_same() -> None:
    assert {s.share for s in shares_of([("A", -0.2), ("B", -0.9)])} == {0.5}


def test_generated_pictures_never_count() -> None:
    found = support_of([case("HSIL", 0.99, origin=Origin.GENERATED), case("NILM", 0.6)])
    assert found is not None
    assert [(s.diagnosis, s.count) for s in found.shares] == [("NILM", 1)]
    assert (found.counted, found.not_real) == (1, 1)


def test_a_case_counts_by_its_nearest_real_picture() -> None:
    drawn, real = case("HSIL", 0.9, origin=Origin.TRANSLATED), case("LSIL", 0.4)
    both = CaseMatch(drawn.case, 0.9, (*drawn.matches, *real.matches))
    found = support_of([both])
    assert found is not None
    assert [(s.diagnosis, s.share) for s in found.shares] == [("LSIL", 1.0)]
    assert judged_cases([both], None).score == 0.4


def test_a_demonstration_has_a_score_and_no_shares() -> None:
    drawn = [case("LSIL", 0.7, origin=Origin.GENERATED)]
    found = support_of(drawn)
    assert found is not None
    assert found.shares == ()
    assert judged_cases(drawn, None).score == 0.7


@pytest.mark.parametrize(("similarity", "close"), [(0.51, True), (0.5, True), (0.49, False)])
def test_close_is_what_reaches_the_threshold(similarity: float, close: bool) -> None:
    found = judged_cases([case("LSIL", similarity) for _ in range(3)], THRESHOLD)
    assert (found.close, found.limit) == (close, THRESHOLD)


def test_without_a_threshold_nothing_is_said_about_closeness() -> None:
    found = judged_cases([case("LSIL", 0.1)], None)
    assert (found.close, found.limit) == (None, None)


def test_no_case_supports_nothing() -> None:
    assert support_of([]) is None


@pytest.mark.parametrize(("places", "score"), [(1, 0.9), (2, 0.8), (5, 0.5)])
def test_the_score_is_taken_over_the_places_of_the_threshold(places: int, score: float) -> None:
    cases = [case("LSIL", s) for s in (0.9, 0.7, 0.5, 0.3, 0.1)]
    found = judged_cases(cases, THRESHOLD.model_copy(update={"places": places}))
    assert found.score == pytest.approx(score)


def test_without_a_threshold_the_score_is_taken_over_three_cases_or_what_there_are() -> None:
    cases = [case("LSIL", s) for s in (0.9, 0.7, 0.5, 0.3, 0.1)]
    assert judged_cases(cases, None).score == pytest.approx(0.7)
    assert judged_cases(cases[:2], None).score == pytest.approx(0.8)


def test_two_slides_of_a_patient_count_once() -> None:
    cases = [
        case("HSIL", 0.9, patient="P1", slide="S1"),
        case("HSIL", 0.8, patient="P1", slide="S2"),
        case("NILM", 0.7, patient="P2", slide="S3"),
    ]
    found = support_of(cases)
    assert counted(found) == ({"HSIL": 1, "NILM": 1}, "patient")
    assert found is not None
    assert (found.counted, found.nearest) == (2, 3)
    repeated = found.repeated[cases[1].case.case_id]
    assert (repeated.of, repeated.because) == (cases[0].case.case_id, "patient")


def test_a_patient_counts_by_its_nearest_picture() -> None:
    found = support_of([case("HSIL", 0.9, patient="P"), case("NILM", 0.8, patient="P")])
    assert counted(found) == ({"HSIL": 1}, "patient")


def test_fields_of_a_slide_count_once_where_patients_are_not_named() -> None:
    fields = [case("SCC", 0.9 - n / 100, slide="S1") for n in range(9)]
    assert counted(support_of([*fields, case("NILM", 0.5, slide="S2")])) == (
        {"SCC": 1, "NILM": 1},
        "slide",
    )


def test_where_one_case_names_nobody_cases_are_counted() -> None:
    found = support_of([case("HSIL", 0.9, patient="P"), case("NILM", 0.8), case("LSIL", 0.7)])
    assert counted(found) == ({"HSIL": 1, "NILM": 1, "LSIL": 1}, "case")


def test_the_same_field_under_two_names_counts_once() -> None:
    one, other, third = (case("HSIL", s) for s in (0.9, 0.8, 0.7))
    assert counted(support_of([one, other, third], ties=[(other, one)])) == ({"HSIL": 2}, "case")


def test_repetition_goes_through_others() -> None:
    one = case("HSIL", 0.9, patient="P1")
    other = case("HSIL", 0.8, slide="S1")
    both = case("HSIL", 0.7, patient="P1", slide="S1")
    found = support_of([one, other, both])
    assert counted(found) == ({"HSIL": 1}, "patient")


def test_the_querys_own_patient_never_counts() -> None:
    mine = case("HSIL", 1.0, patient="P1")
    again = case("HSIL", 0.9, patient="P1")
    copied = case("HSIL", 0.9)
    stranger = case("NILM", 0.5)
    found = support_of([again, copied, stranger], own=[mine], ties=[(copied, mine)])
    assert counted(found) == ({"NILM": 1}, "case")
    assert found is not None
    assert {one.of for one in found.repeated.values()} == {mine.case.case_id}


def test_where_only_the_querys_own_is_near_nothing_is_counted() -> None:
    mine = case("HSIL", 1.0, patient="P1")
    found = support_of([case("HSIL", 0.9, patient="P1")], own=[mine])
    assert counted(found) == ({}, "case")


def test_a_drawn_first_picture_leaves_the_patients_real_one_to_count() -> None:
    drawn = case("HSIL", 0.9, patient="P", origin=Origin.GENERATED)
    found = support_of([drawn, case("LSIL", 0.8, patient="P")])
    assert counted(found) == ({"LSIL": 1}, "patient")
    assert found is not None
    assert (found.nearest, found.not_real) == (1, 1)
