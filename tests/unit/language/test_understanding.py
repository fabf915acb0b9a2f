"""Words of a report: misspelt ones corrected in the open, unknown ones and languages told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reference.trying import OPEN, TryingReport, read_trying

from coin_retrieval.errors import ReportError
from coin_retrieval.language.spelling import corrected
from coin_retrieval.language.understanding import understand
from coin_retrieval.reports.normalise import tidy
from coin_retrieval.reports.reading import read_closely

TRYING = read_trying(OPEN).reports


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("leison", "lesion"),
        ("squamus", "squamous"),
        ("intraepitelial", "intraepithelial"),
        ("koilocites", "koilocytes"),
        ("Neutrophyl", "Neutrophil"),
        ("Sqaumous", "Squamous"),
        ("carcinomma", "carcinoma"),
        ("hyprchromatic", "hyperchromatic"),
        ("basophyl", "basophil"),
    ],
)
def test_a_near_miss_of_one_term_is_corrected(written: str, meant: str) -> None:
    spelling = corrected(f"{written} seen")
    assert spelling.text == f"{meant} seen"
    assert [(one.written, one.span.text) for one in spelling.corrections] == [(written, meant)]


@pytest.mark.parametrize(
    "text",
    ["LSIL", "HSIL", "lsil", "hsil", "CIN3", "HSLI", "parakeratosis", "orthokeratosis", "resected",
     "excised", "stellate", "hypochromatic", "p16INK4a", "smears", "oedema", "edema"],
)  # fmt: skip
def test_codes_and_known_words_are_never_changed(text: str) -> None:
    assert corrected(text).text == text


def test_where_two_words_are_as_near_both_are_offered_and_none_applied() -> None:
    spelling = corrected("mcrocytes")
    assert spelling.text == "mcrocytes"
    assert set(spelling.offers[0].meant) == {"macrocyte", "microcyte"}


def test_what_may_be_the_opposite_is_offered_and_not_applied() -> None:
    spelling = corrected("hpochromic cells")
    assert spelling.text == "hpochromic cells"
    assert set(spelling.offers[0].meant) >= {"hypochromic", "hyperchromic"}


def test_a_report_full_of_errors_is_read() -> None:
    text = understand("hi grade squamus intraepitelial leison, cin3").text
    assert text == "hi grade squamous intraepithelial lesion, cin3"
    assert [code.code for code in read_closely(text).report.codes] == ["HSIL"]


@pytest.mark.parametrize("one", TRYING, ids=lambda one: one.id)
def test_other_languages_are_told_and_english_is_understood(one: TryingReport) -> None:
    found = understand(tidy(one.report))
    assert found.is_understood == (one.stratum != "other_language")
    assert bool(found.language) == (one.stratum == "other_language")


def test_unknown_words_are_counted() -> None:
    found = understand("Blorp frumious snark vorpal cells of gimble wabe.")
    assert not found.is_understood
    assert len(found.unknown) > 3


def test_as_written_nothing_is_corrected() -> None:
    assert understand("koilocites", as_written=True).text == "koilocites"


@given(st.text(min_size=1))
def test_every_correction_stands_where_it_says(text: str) -> None:
    try:
        tidied = tidy(text)
    except ReportError:
        return
    found = understand(tidied)
    for one in (*found.corrections, *found.offers):
        assert found.text[one.span.start : one.span.end] == one.span.text
