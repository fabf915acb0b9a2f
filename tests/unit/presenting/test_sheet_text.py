from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coin_retrieval.presenting.sheet_text import font, spell, wrap

MISSING = bytes(font(40).getmask("\uffff"))


@given(st.text(max_size=40))
def test_what_is_spelled_has_a_glyph_for_every_letter(text: str) -> None:
    for letter in spell(text):
        assert bytes(font(40).getmask(letter)) != MISSING


@pytest.mark.parametrize(
    ("text", "spelled"),
    [
        ("N/C ≤ 1:2, ≈ 35 µm", "N/C <= 1:2, ~ 35 um"),
        ("vergrößerte Zellkerne, café", "vergrosserte Zellkerne, cafe"),
        ("NILM — 宫颈 正常", "NILM - [?]"),
    ],
)
def test_letters_that_the_font_lacks_are_spelled_in_ascii(text: str, spelled: str) -> None:
    assert spell(text) == spelled


@given(st.text(alphabet="abc de", max_size=200), st.integers(60, 300))
def test_no_line_is_wider_than_the_page(text: str, width_px: int) -> None:
    for line in wrap(text, 18, width_px, 100):
        assert font(18).getlength(line) <= width_px


@given(st.text(alphabet="abc de", max_size=200), st.integers(60, 300))
def test_wrapping_loses_no_letter(text: str, width_px: int) -> None:
    assert "".join(wrap(text, 18, width_px, 1000)).replace(" ", "") == text.replace(" ", "")


def test_text_beyond_the_last_line_is_told_by_an_ellipsis() -> None:
    lines = wrap("cell " * 100, 18, 200, 2)
    assert len(lines) == 2
    assert lines[1].endswith("…")


def test_text_that_fits_has_no_ellipsis() -> None:
    assert wrap("two words", 18, 400, 1) == ["two words"]
