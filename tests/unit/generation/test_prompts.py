from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from coin_retrieval.generation.prompts import TokenLimit, split_windows, unread_tail


def words(text: str) -> list[tuple[int, int]]:
    return [word.span() for word in re.finditer(r"\S+", text)]


def letters(text: str) -> list[tuple[int, int]]:
    return [(i, i + 1) for i, letter in enumerate(text) if not letter.isspace()]


def test_a_text_that_fits_is_left_exactly_as_it_is() -> None:
    windows = split_windows("  two  words ", [TokenLimit(words, 2)], chunks=1)
    assert windows.texts == ("  two  words ",)
    assert windows.dropped_text == ""


def test_a_long_text_fills_window_after_window() -> None:
    windows = split_windows("a b c d e", [TokenLimit(words, 2)], chunks=3)
    assert windows.texts == ("a b", "c d", "e")
    assert windows.dropped_text == ""


def test_what_the_windows_do_not_hold_is_dropped_and_said() -> None:
    windows = split_windows("a b c d e", [TokenLimit(words, 2)], chunks=2)
    assert windows.texts == ("a b", "c d")
    assert windows.dropped_text == "e"


def test_words_are_not_cut() -> None:
    windows = split_windows("granular cytoplasm here", [TokenLimit(letters, 12)], chunks=8)
    assert windows.texts == ("granular", "cytoplasm", "here")


def test_a_window_is_filled_where_tokens_begin_with_the_space_before_them() -> None:
    def spaced(text: str) -> list[tuple[int, int]]:
        return [word.span() for word in re.finditer(r"\s*\S+", text)]

    windows = split_windows("aa bb cc dd", [TokenLimit(spaced, 2)], chunks=8)
    assert windows.texts == ("aa bb", "cc dd")


def test_a_word_longer_than_a_window_is_cut_inside() -> None:
    windows = split_windows("abcdefgh ij", [TokenLimit(letters, 3)], chunks=8)
    assert windows.texts == ("abc", "def", "gh", "ij")


def test_a_window_fits_every_tokenizer() -> None:
    limits = [TokenLimit(words, 3), TokenLimit(letters, 4)]
    assert split_windows("ab cd e f g", limits, chunks=8).texts == ("ab cd", "e f g")


def test_a_tokenizer_whose_cut_words_need_more_room_is_obeyed() -> None:
    def pieces(text: str) -> list[tuple[int, int]]:
        """Three letters a token at a word's start, but five within a whole long word."""
        spans = []
        for word in re.finditer(r"\S+", text):
            size = 5 if len(word.group()) > 12 else 2
            spans += [
                (start, min(start + size, word.end()))
                for start in range(word.start(), word.end(), size)
            ]
        return spans

    windows = split_windows("abcdefghijklmnopqrst", [TokenLimit(pieces, 2)], chunks=20)
    assert all(len(pieces(text)) <= 2 for text in windows.texts)
    assert "".join(windows.texts) == "abcdefghijklmnopqrst"


@given(
    st.text(alphabet="ab \n", max_size=60),
    st.integers(1, 5),
    st.integers(1, 9),
    st.integers(1, 5),
)
def test_no_letter_is_lost_or_doubled(
    text: str, word_room: int, letter_room: int, chunks: int
) -> None:
    limits = [TokenLimit(words, word_room), TokenLimit(letters, letter_room)]
    windows = split_windows(text, limits, chunks=chunks)
    assert len(windows.texts) <= max(chunks, 1)
    for window in windows.texts:
        assert len(words(window)) <= word_room
        assert len(letters(window)) <= letter_room
    kept = "".join([*windows.texts, windows.dropped_text])
    assert "".join(kept.split()) == "".join(text.split())


def test_the_unread_tail_is_what_no_tokenizer_takes() -> None:
    limits = [TokenLimit(words, 2), TokenLimit(letters, 4)]
    assert unread_tail("a b c d e", limits) == "e"
    assert unread_tail("a b", limits) == ""
    assert unread_tail("a b", []) == ""
