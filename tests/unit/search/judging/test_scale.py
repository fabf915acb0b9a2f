from __future__ import annotations

import numpy as np
import pytest

from coin_retrieval.search.judging.scale import LikeScale, common_field_um, scale_notices
from coin_retrieval.types import CaseMatch, CaseRecord, ImageId, ImageRecord, Match

PICTURE = np.arange(200 * 300 * 3, dtype=np.uint32).astype(np.uint8).reshape(200, 300, 3)


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
    (notice,) = scale_notices(200, [a_case(0.25)])
    assert "a field of 200 µm" in notice
    assert "2 times smaller" in notice
    assert "narrower crop" in notice


def test_a_picture_of_a_narrower_field_is_told() -> None:
    (notice,) = scale_notices(50, [a_case(0.25)])
    assert "2 times larger" in notice
    assert "wider crop" in notice


def test_a_like_field_is_nothing_to_tell_however_the_pixels_are() -> None:
    assert scale_notices(100, [a_case(0.25)]) == ()


def test_the_scale_of_most_cases_counts() -> None:
    assert scale_notices(100, [a_case(0.25, 0.25, 2.5)]) == ()


def test_without_a_scale_of_the_picture_nothing_is_told() -> None:
    assert scale_notices(None, [a_case(0.25)]) == ()


def test_where_nothing_was_found_nothing_is_told() -> None:
    assert scale_notices(100, []) == ()


def test_cases_without_a_scale_are_told() -> None:
    (notice,) = scale_notices(100, [a_case(None)])
    assert "not known" in notice


def test_a_wider_field_is_searched_with_by_its_middle() -> None:
    scale = LikeScale(asked_um=100, archive_um=62.5)
    shown = scale.shown(PICTURE)
    assert shown.shape == (125, 188, 3)
    np.testing.assert_array_equal(shown, PICTURE[37:162, 56:244])
    assert scale.shown_um == 62.5
    assert "magnified 1.6 times" in scale.notices()[0]


def test_a_narrower_field_is_set_into_a_margin_that_mirrors_it() -> None:
    scale = LikeScale(asked_um=100, archive_um=150)
    shown = scale.shown(PICTURE)
    assert shown.shape == (300, 450, 3)
    np.testing.assert_array_equal(shown[50:250, 75:375], PICTURE)
    np.testing.assert_array_equal(shown[49, 75:375], PICTURE[0])
    assert "1.5 times smaller" in scale.notices()[0]


@pytest.mark.parametrize(("archive_um", "shown_um"), [(10.0, 50.0), (900.0, 200.0)])
def test_no_more_than_twice_as_large_or_small(archive_um: float, shown_um: float) -> None:
    assert LikeScale(100, archive_um).shown_um == shown_um


def test_a_like_field_is_left_as_it_is() -> None:
    scale = LikeScale(100, 95)
    np.testing.assert_array_equal(scale.shown(PICTURE), PICTURE)
    assert scale.notices() == ()


@pytest.mark.parametrize(
    ("mpps_um", "field_um"),
    [
        ((0.25, 0.25, 0.3, 0.25), 100.0),
        ((0.25, None), 100.0),
        ((0.25, None, None), None),
        ((0.25, 0.25, 1.0, 1.0), None),
        ((None,), None),
    ],
)
def test_an_archive_has_a_field_where_most_of_its_pictures_show_one(
    mpps_um: tuple[float | None, ...], field_um: float | None
) -> None:
    images = [match.image for match in a_case(*mpps_um).matches]
    assert common_field_um(images) == field_um
