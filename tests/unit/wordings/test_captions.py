from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest

from coin_retrieval.errors import CaseTableError
from coin_retrieval.reports.plain import read_report
from coin_retrieval.tables.cases import CaseRow, read_case_table
from coin_retrieval.wordings.captions import (
    compose,
    compose_report,
    held_out_reports,
    load_lexicon,
    whole_reports,
)


def _row(finding: str, **attributes: str) -> CaseRow:
    words = load_lexicon().findings[finding]
    return CaseRow(
        Path("picture.png"),
        "case",
        site=words.site,
        specimen=words.specimen,
        stain=words.stain,
        diagnosis=words.diagnosis,
        finding=finding,
        attributes=attributes,
    )


def _composed(finding: str, count: int = 300, **attributes: str) -> list[str]:
    random = np.random.default_rng(0)
    return [compose_report(_row(finding, **attributes), random) for _ in range(count)]


@pytest.mark.parametrize("finding", sorted(load_lexicon().findings))
def test_a_held_out_report_is_never_composed(finding: str) -> None:
    composed = {text.lower().rstrip(".") for text in _composed(finding)}
    assert not composed & {text.lower().rstrip(".") for text in held_out_reports()[finding]}


def test_no_training_report_shares_six_words_in_a_row_with_a_held_out_one() -> None:
    # the Bethesda system's own phrase is nobody's wording
    held_out = [text for texts in held_out_reports().values() for text in texts]
    judged = set().union(*(_six_words(text) for text in held_out))
    shared = [
        text for texts in whole_reports().values() for text in texts if _six_words(text) & judged
    ]
    assert judged
    assert shared == []


def _six_words(text: str) -> set[str]:
    phrase = "negative for intraepithelial lesion or malignancy"
    words = re.sub(r"[^a-z0-9 ]", "", text.lower()).strip().replace(phrase, "nilm").split()
    return {" ".join(words[i : i + 6]) for i in range(len(words) - 5)}


@pytest.mark.parametrize("kind", [whole_reports, held_out_reports])
def test_every_finding_has_whole_reports_and_each_only_once(
    kind: Callable[[], Mapping[str, tuple[str, ...]]],
) -> None:
    assert set(kind()) == set(load_lexicon().findings)
    texts = [text.lower() for reports in kind().values() for text in reports]
    assert len(set(texts)) == len(texts)
    # also as they are composed, with a full stop
    assert all(read_report(f"{text.rstrip('.')}.").text for text in texts)


def test_a_composed_report_states_its_finding_and_only_what_its_row_says() -> None:
    row = _row("neutrophil", nucleus_shape="unsegmented-band")
    random = np.random.default_rng(0)
    stated = [compose(row, random).stated for _ in range(200)]
    assert all(said["finding"] == "neutrophil" for said in stated)
    assert {value for said in stated for value in said.values()} <= {
        "neutrophil",
        row.site,
        row.specimen,
        row.stain,
        "unsegmented-band",
    }
    assert any("nucleus_shape" in said for said in stated)


def test_a_report_that_states_an_attribute_words_it() -> None:
    row = _row("neutrophil", nucleus_shape="unsegmented-band")
    random = np.random.default_rng(0)
    phrases = load_lexicon().attributes["nucleus_shape"]["unsegmented-band"]
    for composed in (compose(row, random) for _ in range(200)):
        if "nucleus_shape" in composed.stated:
            assert any(phrase.lower() in composed.text.lower() for phrase in phrases)


def test_no_phrase_of_a_finding_stands_whole_in_a_held_out_report_unless_it_is_a_name() -> None:
    findings = load_lexicon().findings
    reports = held_out_reports().values()
    held_out = " | ".join(text.lower() for texts in reports for text in texts)
    shared = [
        phrase
        for words in findings.values()
        for group in words.signs
        for phrase in group
        if len(phrase.split()) > 3 and phrase.lower() in held_out
    ]
    assert shared == []


def test_one_finding_is_worded_in_many_ways() -> None:
    assert len(set(_composed("monocyte"))) > 200


def test_the_same_random_numbers_compose_the_same_report() -> None:
    row = _row("Candida")
    first, second = (compose_report(row, np.random.default_rng(7)) for _ in range(2))
    assert first == second


def test_site_and_stain_are_named_at_times_and_left_out_at_times() -> None:
    texts = _composed("metastatic breast carcinoma")
    named = [text for text in texts if any(w in text for w in ("CSF", "cerebrospinal", "MGG"))]
    assert 20 < len(named) < 250


def test_what_was_seen_in_this_cell_is_described() -> None:
    texts = _composed("neutrophil", nucleus_shape="unsegmented-band")
    assert any("band-shaped nucleus" in text for text in texts)


def test_a_finding_without_words_is_refused_by_name() -> None:
    with pytest.raises(CaseTableError, match="unheard of"):
        compose_report(CaseRow(Path("a.png"), "c", finding="unheard of"), np.random.default_rng(0))


@pytest.mark.data
def test_every_finding_of_the_real_tables_has_words(data_root: Path) -> None:
    findings: Counter[str] = Counter()
    for table in data_root.glob("*/cases.csv"):
        findings.update(row.finding for row in read_case_table(table))
    assert findings
    assert set(findings) <= set(load_lexicon().findings)


@pytest.mark.parametrize("kind", [whole_reports, held_out_reports])
def test_every_whole_report_is_one_that_the_program_reads(
    kind: Callable[[], Mapping[str, tuple[str, ...]]],
) -> None:
    for reports in kind().values():
        for text in reports:
            assert read_report(text).text
