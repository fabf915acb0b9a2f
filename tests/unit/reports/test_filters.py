from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from plans import plan_of
from rich.console import Console
from tiny_archives import catalog_of

from coin_retrieval.catalog.base import Catalog
from coin_retrieval.cli.tables import show_site_hint
from coin_retrieval.presenting.answer import to_answer
from coin_retrieval.reports.filters import suggest_where
from coin_retrieval.reports.plain import read_report
from coin_retrieval.search.result import SearchResult
from coin_retrieval.types import CaseRecord, ImageId, ImageRecord, SearchMode

PLEURAL = read_report("(Pleural tap) Mesothelial cells. Negative for malignancy.")


def test_a_recognised_site_can_be_offered() -> None:
    assert suggest_where(PLEURAL) == {"site": ["pleural effusion"]}


def test_without_a_site_nothing_is_offered() -> None:
    assert suggest_where(read_report("Cells.")) == {}


def test_the_archives_own_words_for_the_site_are_offered() -> None:
    known = ["Pleural fluid", "urine", "lymph node", "PLEURAL EFFUSION", "pleural or ascitic fluid"]
    assert suggest_where(PLEURAL, known=known) == {"site": ["Pleural fluid", "PLEURAL EFFUSION"]}


def test_a_site_that_the_archive_lacks_is_not_offered() -> None:
    assert suggest_where(PLEURAL, known=["urine"]) == {}


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    sites = ("Pleural fluid", "urine")
    return catalog_of(
        tmp_path,
        [CaseRecord(site, site=site) for site in sites],
        [
            ImageRecord(ImageId(number), site, f"{number}.png", f"{number:064x}", 8, 8)
            for number, site in enumerate(sites)
        ],
    )


def hint(catalog: Catalog, text: str) -> str:
    shown = StringIO()
    found = SearchResult(plan_of(text), SearchMode.TEXT, (), (), None, True, (), {})
    answer = to_answer(found, sites=catalog.values("site"))
    show_site_hint(Console(file=shown, width=40), answer.query)
    return shown.getvalue()


def test_the_hint_is_one_line_that_can_be_pasted(catalog: Catalog) -> None:
    assert hint(catalog, PLEURAL.text) == (
        "Site recognised: pleural effusion; "
        "add --where 'site=Pleural fluid' to search only there.\n"
    )


def test_the_hint_says_when_the_archive_has_no_such_site(catalog: Catalog) -> None:
    assert hint(catalog, "Thyroid FNA.") == (
        "Site recognised: thyroid; no case of the archive has it.\n"
    )


def test_there_is_no_hint_without_a_site(catalog: Catalog) -> None:
    assert hint(catalog, "Cells.") == ""
