"""The frozen reports against the reader, and the tables in docs/reports.md against both."""

from __future__ import annotations

import pytest
from reference.reports_table import DOCUMENT, SETS, Judged, document, judge

JUDGED = [one for path in SETS.values() for one in judge(path)]


@pytest.mark.parametrize("one", JUDGED, ids=lambda one: one.report_id)
def test_a_report_is_read_as_a_cytologist_reads_it_or_is_a_known_miss(one: Judged) -> None:
    assert one.read == (one.known_miss or one.expected)
    # a miss that was mended must not stay in the file as one
    assert one.known_miss != one.expected


def test_no_report_stands_twice() -> None:
    assert len({one.text for one in JUDGED}) == len({one.report_id for one in JUDGED}) == 70


def test_the_forty_reports_go_beyond_sixteen_sites_and_every_system() -> None:
    assert len({one.expected[0] for one in JUDGED}) > 16
    systems = {code.split("/")[0] for one in JUDGED for code in one.expected[1]}
    assert len(systems) == 8


def test_the_tables_in_the_document_are_what_the_reader_gives_now() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == document(text), "run: python tests/reference/reports_table.py"
