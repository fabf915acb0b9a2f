from __future__ import annotations

import pytest

from coin_retrieval.reports.words import PhraseBook, fold, tokenize


def keys(text: str) -> list[str]:
    return [token.key for token in tokenize(text)]


def book(*patterns: str, **fragments: str) -> PhraseBook[str]:
    made: PhraseBook[str] = PhraseBook(fragments)
    for pattern in patterns:
        made.add(pattern, pattern)
    return made


@pytest.mark.parametrize(
    ("british", "american"),
    [
        ("tumours", "tumor"),
        ("haemorrhagic", "hemorrhagic"),
        ("leukaemia", "leukemia"),
        ("oesophageal", "esophageal"),
        ("catheterised", "catheterized"),
        ("favour", "favor"),
        ("Hürthle", "hurthle"),
        ("biopsies", "biopsy"),
        ("masses", "mass"),
    ],
)
def test_spelling_accent_and_number_do_not_count(british: str, american: str) -> None:
    assert fold(british) == fold(american)


@pytest.mark.parametrize("word", ["ascus", "metastasis", "mass", "four", "diagnosis"])
def test_words_that_only_look_like_a_plural_stay(word: str) -> None:
    assert fold(word) == word


def test_a_full_stop_ends_a_sentence_but_not_a_number_or_an_abbreviation() -> None:
    assert keys("8.5 um, e.g. cf. cells. End") == [
        *("8.5", "um", ",", "e", "g", "cf", "cell", ".", "end")
    ]


def test_a_question_mark_doubts_what_follows_or_what_stands_before() -> None:
    assert keys("cells ?malignant LSIL? end") == ["cell", "?", "malignant", "lsil", "?.", "end"]


def test_a_hyphen_joins_and_a_dash_between_spaces_parts() -> None:
    assert keys("high-grade - N/C -ve") == ["high", "grade", "-", "n", "c", "-ve"]


def test_the_longest_phrase_is_found() -> None:
    found = list(book("cell", "cell [of] carcinoma").find(tokenize("no cells of carcinoma")))
    assert [(f.start, f.end, f.meanings) for f in found] == [(1, 4, ("cell [of] carcinoma",))]


def test_a_word_with_capitals_is_matched_in_capitals_only() -> None:
    marked = book("ND")
    assert marked.at(tokenize("ND"), 0)
    assert not marked.at(tokenize("nd"), 0)


def test_every_wording_of_a_pattern_is_a_phrase() -> None:
    wordings = {" ".join(w) for w, _ in book("[a] (b|c {d})", d="e|f").wordings()}
    assert wordings == {"a b", "b", "a c e", "a c f", "c e", "c f"}


@pytest.mark.parametrize("pattern", ["", "[a]", "(a|)", "(a", "a)", "[a b", "{unknown}", "{round}"])
def test_a_pattern_that_cannot_be_read_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"bracket|empty|fragment"):
        book(pattern, round="{round}")
