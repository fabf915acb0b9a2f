from __future__ import annotations

import numpy as np

from coin_retrieval.search.judging.scale import scale_notices
from coin_retrieval.types import CaseMatch, CaseRecord, ImageId, ImageRecord, Match

PICTURE = np.zeros((200, 300, 3), np.uint8)


def a_case(*mpps_um: float | None) -> CaseMatch:
    images = [
        ImageRecord(
            image_id=ImageId(n), case_id="c", uri=f"file:///{n}", content_hash="", width_px=400,
            height_px=400, mpp_um=mpp,
        )
        for n, mpp in enumerate(mpps_um)
    ]  # fmt: skip
    matches = tuple(Match(image, 0.9) for image in images)
    return CaseMatch(CaseRecord("c"), 0.9, matches)


def test_a_picture_of_a_wider_field_is_told() -> None:
    (notice,) = scale_notices(PICTURE, 1.0, [a_case(0.25)])
    assert "a field of 200 µm" in notice
    assert "2 times smaller" in notice
    assert "narrower crop" in notice


def test_a_picture_of_a_narrower_field_is_told() -> None:
    (notice,) = scale_notices(PICTURE, 0.25, [a_case(0.25)])
    assert "2 times larger" in notice
    assert "wider crop" in notice


def test_a_like_field_is_nothing_to_tell_however_the_pixels_are() -> None:
    assert scale_notices(PICTURE, 0.5, [a_case(0.25)]) == ()


def test_the_scale_of_most_cases_counts() -> None:
    assert scale_notices(PICTURE, 0.5, [a_case(0.25, 0.25, 2.5)]) == ()


def test_without_a_scale_of_the_picture_nothing_is_told() -> None:
    assert scale_notices(PICTURE, None, [a_case(0.25)]) == ()
    assert scale_notices(None, 0.5, [a_case(0.25)]) == ()


def test_where_nothing_was_found_nothing_is_told() -> None:
    assert scale_notices(PICTURE, 0.5, []) == ()


def test_cases_without_a_scale_are_told() -> None:
    (notice,) = scale_notices(PICTURE, 0.5, [a_case(None)])
    assert "not known" in notice
