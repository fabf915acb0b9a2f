from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coin_retrieval.errors import ReportError
from coin_retrieval.reports.plain import MAX_CHARACTERS, read_report


def test_the_site_stands_in_a_leading_bracket() -> None:
    report = read_report("(Thyroid FNA) Follicular cells in sheets. Benign follicular nodule.")
    assert (report.site, report.procedure) == ("thyroid", "fine-needle aspiration")
    assert report.findings == "Follicular cells in sheets."
    assert report.conclusion == "Benign follicular nodule."


def test_a_bracket_elsewhere_is_no_site() -> None:
    assert read_report("Squamous cells (intermediate) with halos. LSIL.").site == ""


def test_a_bracket_that_names_no_known_site_leaves_it_unknown() -> None:
    assert read_report("(Prostate) Glandular cells. Adenocarcinoma.").site == ""


def test_a_comment_is_not_the_conclusion() -> None:
    report = read_report("ASC-US; Additional comment: mild inflammation, no Candida.")
    assert report.conclusion == "ASC-US"
    assert report.findings == "mild inflammation, no Candida."


def test_advice_is_not_the_conclusion() -> None:
    report = read_report("Koilocytes with halos. LSIL. Repeat in one year.")
    assert (report.findings, report.conclusion) == ("Koilocytes with halos.", "LSIL.")


def test_a_clause_that_names_the_specimen_is_a_header() -> None:
    report = read_report("Catheterised urine: few cells. NHGUC.")
    assert (report.site, report.procedure) == ("urine", "catheterised urine")
    assert (report.findings, report.conclusion) == ("few cells.", "NHGUC.")


def test_a_conclusion_may_stand_before_the_findings() -> None:
    report = read_report("Diagnosis: LSIL. Microscopy: koilocytes.")
    assert (report.findings, report.conclusion) == ("koilocytes.", "LSIL.")


def test_a_labelled_conclusion_wins_over_the_last_sentence() -> None:
    report = read_report("Koilocytes. Conclusion: LSIL. Repeat in one year.")
    assert report.findings == "Koilocytes."
    assert report.conclusion == "LSIL. Repeat in one year."


def test_a_semicolon_ends_the_findings() -> None:
    assert read_report("Koilocytes with halos; low-grade lesion").conclusion == "low-grade lesion"


def test_a_single_sentence_has_findings_only() -> None:
    report = read_report("Koilocytes with perinuclear halos, low-grade lesion")
    assert (report.findings, report.conclusion) == (report.text, "")


def test_a_decimal_point_and_an_abbreviation_end_no_sentence() -> None:
    assert read_report("Nuclei of 8.5 um, e.g. enlarged.").conclusion == ""


def test_white_space_is_tidied_and_nothing_else_is_lost() -> None:
    report = read_report("\ufeff(Urine)\r\n  Atypical\turothelial\u00a0cells.\n\nSuspicious.  ")
    assert report.text == "(Urine) Atypical urothelial cells. Suspicious."


def test_bytes_are_read_as_utf8() -> None:
    assert read_report("Zellen: vergrößert.".encode()).text == "Zellen: vergrößert."


def test_a_report_in_another_script_is_a_report() -> None:
    assert read_report("宫颈液基细胞学：未见上皮内病变。").text


@pytest.mark.parametrize("text", ["", "   \n\t", b"", "\ufeff"])
def test_an_empty_report_is_refused(text: str | bytes) -> None:
    with pytest.raises(ReportError, match="empty"):
        read_report(text)


@pytest.mark.parametrize("text", ["a" * (MAX_CHARACTERS + 1), b"a" * (4 * MAX_CHARACTERS + 1)])
def test_an_enormous_report_is_refused(text: str | bytes) -> None:
    with pytest.raises(ReportError, match="too long"):
        read_report(text)


def test_the_longest_report_is_read() -> None:
    assert len(read_report("a" * MAX_CHARACTERS).text) == MAX_CHARACTERS


@pytest.mark.parametrize("text", ["cells\x00cells", "\x1b[31mcells", "cells \ud800"])
def test_control_characters_are_refused(text: str) -> None:
    with pytest.raises(ReportError, match=r"U\+"):
        read_report(text)


@pytest.mark.parametrize("data", [b"\x89PNG\r\n\x1a\n", "Zellgröße".encode("latin-1")])
def test_undecodable_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(ReportError, match="UTF-8"):
        read_report(data)


@pytest.mark.parametrize("text", ["12345 67890", "?!?!?! ...", "%PDF-1.7 %%%% 0 0 << >>"])
def test_what_is_not_made_of_words_is_refused(text: str) -> None:
    with pytest.raises(ReportError, match="words"):
        read_report(text)


@given(st.text(alphabet="aB (.;:)\n", max_size=60))
def test_every_part_stands_in_the_text(text: str) -> None:
    try:
        report = read_report(text)
    except ReportError:
        return
    assert report.text == " ".join(text.split())
    for part in (report.findings, report.conclusion):
        assert part in report.text
    assert read_report(report.text) == report
