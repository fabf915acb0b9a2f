"""The trying reports are what they claim to be: exact, new, and the sealed half untouched."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from reference.trying import (
    OPEN,
    SEALED,
    SEALED_SHA256,
    TryingReport,
    digest,
    read_trying,
)

from coin_retrieval.reports.lexicons import load_sites
from coin_retrieval.wordings.captions import WORDINGS

SETS = {"open": read_trying(OPEN), "sealed": read_trying(SEALED)}
REPORTS = [one for whole in SETS.values() for one in whole.reports]
LONG = [one for one in REPORTS if one.stratum == "long"]
ARCHIVE = SETS["open"]
STRATA = {
    "negated": 12,
    "historical": 8,
    "set_aside": 3,
    "long": 8,
    "misspelt": 7,
    "other_language": 5,
    "foreign_site": 9,
    "mixed": 8,
}
TABLES = (
    "blood/cases.csv",
    "red_cells/red_cells.csv",
    "cervix/cases.csv",
    "cervix_fields/cases.csv",
    "sites/cases.csv",
)
_RUN = 8  # words in a row that no two texts share by chance; set phrases are shorter

each = pytest.mark.parametrize("one", REPORTS, ids=lambda one: one.id)


def test_the_sealed_half_is_as_it_was_sealed() -> None:
    assert digest(SEALED) == SEALED_SHA256


@pytest.mark.parametrize("name", SETS)
def test_a_file_has_its_sixty_reports_in_the_agreed_strata(name: str) -> None:
    reports = SETS[name].reports
    assert Counter(one.stratum for one in reports) == STRATA
    assert len({one.id for one in reports}) == len(reports) == 60
    assert all(one.id.startswith(f"{name}-") for one in reports)


@each
def test_every_quotation_occurs_in_its_report(one: TryingReport) -> None:
    for quoted in [*one.searched, *(part.text for part in one.left_out)]:
        assert quoted
        assert quoted in one.report


@each
def test_nothing_is_both_searched_and_left_out(one: TryingReport) -> None:
    kept = one.report
    for part in one.left_out:
        kept = kept.replace(part.text, "\0", 1)
    assert all(quoted in kept for quoted in one.searched)


@each
def test_every_expected_label_is_the_archives(one: TryingReport) -> None:
    right, wrong = (
        [ARCHIVE.findings(label) for label in labels] for labels in (one.relevant, one.not_relevant)
    )
    assert all(right)
    assert all(wrong)
    # no case is both right and a mistake
    assert not frozenset().union(*right) & frozenset().union(*wrong)


@each
def test_the_site_is_one_that_reports_are_read_for(one: TryingReport) -> None:
    assert one.site in {"", *load_sites().sites}
    assert one.archive_has_site == (one.site in {"", *ARCHIVE.archive})
    if not one.relevant:
        assert one.close == "no"


@each
def test_the_cut_report_keeps_what_is_searched_and_loses_the_rest(one: TryingReport) -> None:
    assert bool(one.without_negations) == (one.stratum in {"negated", "historical"})
    if one.without_negations:
        assert all(quoted in one.without_negations for quoted in one.searched)
        assert not any(part.text in one.without_negations for part in one.left_out)
        assert len(one.without_negations) < len(one.report)


@pytest.mark.parametrize("one", LONG, ids=lambda one: one.id)
def test_a_long_report_is_long_and_concludes_late(one: TryingReport) -> None:
    assert 120 <= len(one.report.split()) <= 250
    before = one.report[: one.report.rindex(one.searched[-1])]
    assert len(before) > 0.6 * len(one.report)


def test_no_report_repeats_the_wordings_an_earlier_report_or_the_other_file() -> None:
    earlier = [*WORDINGS.glob("*.yaml"), *OPEN.parent.glob("reports_*.yaml")]
    taken = {
        run
        for path in earlier
        for text in _strings(yaml.safe_load(path.read_text(encoding="utf-8")))
        for run in _runs(text)
    }
    for name, whole in SETS.items():
        own = {one.id: _runs(one.report) for one in whole.reports}
        assert not {report: runs & taken for report, runs in own.items() if runs & taken}, name
        taken |= frozenset().union(*own.values())


@pytest.mark.data
def test_the_labels_of_the_files_are_those_of_the_tables(data_root: Path) -> None:
    labels: dict[str, dict[str, set[str]]] = {}
    for table in TABLES:
        with (data_root / table).open(encoding="utf-8", newline="") as rows:
            for row in csv.DictReader(rows):
                site = labels.setdefault(row["site"], {})
                site.setdefault(row["diagnosis"], set()).add(row["finding"])
    for whole in SETS.values():
        assert labels == {
            site: {diagnosis: set(findings) for diagnosis, findings in diagnoses.items()}
            for site, diagnoses in whole.archive.items()
        }


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _strings(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _strings(inner)


def _runs(text: str) -> frozenset[tuple[str, ...]]:
    """Every run of eight words, or the whole of a shorter text that has at least five."""
    words = tuple(re.findall(r"\w+", text.casefold()))
    if len(words) < _RUN:
        return frozenset([words] if len(words) >= 5 else [])
    return frozenset(words[i : i + _RUN] for i in range(len(words) - _RUN + 1))
