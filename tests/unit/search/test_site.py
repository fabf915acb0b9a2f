"""Where a search looks: the site of the report as a filter in the open."""

from __future__ import annotations

import pytest

from coin_retrieval.archive import Archive
from coin_retrieval.config import FusionSettings
from coin_retrieval.encoding.open_clip.encoder import OpenClipEncoder
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.reports.reading import read_closely
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.search.site import How, SitePlan, filter_of, means, plan_site
from coin_retrieval.types import SearchMode

KNOWN = {"cervix": 40, "urine": 9, "Pleural fluid": 3, "unspecified": 7, "": 2}


def site_of(report: str, known: dict[str, int] = KNOWN, **asked: object) -> SitePlan | None:
    return plan_site(read_closely(report), Query.of(report=report, **asked), known)


def test_a_site_that_the_report_names_is_the_filter() -> None:
    site = site_of("Voided urine: atypical cells.")
    assert site
    assert (site.name, site.how, site.values, site.images) == ("urine", How.NAMED, ("urine",), 9)
    assert filter_of(Query(), site) == {"site": ("urine",)}


def test_a_site_that_the_category_implies_is_the_filter() -> None:
    site = site_of("Koilocytes. LSIL.")
    assert site
    assert (site.name, site.how, site.applied) == ("cervix", How.IMPLIED, True)
    assert site.phrase
    assert site.phrase.text == "LSIL"


def test_a_named_site_comes_before_an_implied_one() -> None:
    site = site_of("Anal smear: HSIL.")
    assert site
    assert (site.name, site.how, site.lacking) == ("anus", How.NAMED, True)


@pytest.mark.parametrize("report", ["AUS.", "Severe dysplasia.", "No HSIL. Squames.", "Monocyte."])
def test_what_several_systems_have_or_the_report_denies_implies_no_site(report: str) -> None:
    assert site_of(report) is None


def test_the_archives_own_words_for_a_site_are_its_values() -> None:
    site = site_of("Pleural effusion: mesothelial cells.")
    assert site
    assert site.values == ("Pleural fluid",)


def test_a_general_site_finds_its_parts_and_the_other_way_round() -> None:
    assert means("Pleural fluid", "serous fluid")
    assert means("serous effusion", "ascites")
    assert not means("Pleural fluid", "ascites")


def test_pictures_of_unspecified_site_are_counted_and_searched_if_asked() -> None:
    site = site_of("Urine: cells.", unspecified_sites=True)
    assert site
    assert (site.unspecified, site.unspecified_images) == (("unspecified", ""), 9)
    assert filter_of(Query(), site) == {"site": ("urine", "unspecified", "")}


def test_a_site_that_the_archive_lacks_is_told_and_all_is_searched() -> None:
    site = site_of("Thyroid FNA: colloid.")
    assert site
    assert site.lacking
    assert not site.applied
    assert filter_of(Query(), site) == {}


def test_an_archive_that_tells_no_site_lacks_none() -> None:
    assert site_of("Thyroid FNA: colloid.", {"": 5, "unknown": 2}) is None


def test_all_sites_are_searched_if_asked() -> None:
    site = site_of("Urine: cells.", all_sites=True)
    assert site
    assert not site.applied
    assert not site.lacking


def test_a_site_in_the_filter_comes_before_the_reports() -> None:
    query = Query(report="Urine: cells.", where={"site": ["cervix"]})
    site = plan_site(read_closely(query.report), query, KNOWN)
    assert site
    assert (site.name, site.how) == ("cervix", How.ASKED)
    assert filter_of(query, site) == {"site": ["cervix"]}


@pytest.fixture
def retriever(
    archive: Archive, encoder: OpenClipEncoder, tmp_path_factory: pytest.TempPathFactory
) -> Retriever:
    cache = PrototypeCache(tmp_path_factory.mktemp("cache"))
    return Retriever(archive, encoder, None, cache, FusionSettings())


def test_only_the_reports_site_is_found(retriever: Retriever) -> None:
    result = retriever.search(Query(report="Urine: large cells.", mode=SearchMode.TEXT, k=50))
    assert {found.case.site for found in result.cases} == {"urine"}


def test_where_a_site_is_lacking_all_sites_are_found(retriever: Retriever) -> None:
    result = retriever.search(Query(report="Parotid FNA: cells.", mode=SearchMode.TEXT, k=50))
    assert result.plan.site
    assert result.plan.site.lacking
    assert len({found.case.site for found in result.cases}) > 1
