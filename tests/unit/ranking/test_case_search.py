from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_archives import catalog_of, store_of

from coin_retrieval.catalog.base import Where
from coin_retrieval.encoding.base import unit_rows
from coin_retrieval.errors import ArchiveCorruptError, FilterError
from coin_retrieval.factory import make_store_writer, open_store
from coin_retrieval.named_settings import read_store
from coin_retrieval.ranking import case_search, near_duplicates
from coin_retrieval.ranking.case_search import CaseSearch
from coin_retrieval.ranking.fusion import FusedQuery
from coin_retrieval.timing import Stopwatch
from coin_retrieval.types import CaseMatch, CaseRecord, ImageId, ImageRecord, Origin

DIM = 8
CASES = {"A": 30, "B": 20, "C": 1, "D": 3, "E": 1}
"""Case id → how many images it has: the large ones crowd the top of most rankings."""
DIAGNOSES = ("NILM", "LSIL", "HSIL")


class Shelf:
    """A store and a catalog of the cases above, and what a search must find in them."""

    def __init__(self, folder: Path) -> None:
        random = np.random.default_rng(3)
        self.records = [
            ImageRecord(
                ImageId(1000 + 7 * i),
                case_id,
                f"file:///{i}.png",
                f"{i:064x}",
                8,
                8,
                DIAGNOSES[i % 3],
                origin=Origin.GENERATED if case_id == "E" else Origin.REAL,
            )
            for i, case_id in enumerate(c for c, count in CASES.items() for _ in range(count))
        ]
        self.rows = unit_rows(random.normal(size=(len(self.records), DIM)))
        ids = np.array([r.image_id for r in self.records], np.int64)
        self.store = store_of(folder, ids, self.rows)
        self.catalog = catalog_of(
            folder,
            [CaseRecord(case_id, "cervix" if case_id < "C" else "urine") for case_id in CASES],
            self.records,
        )

    def find(
        self,
        rows: Sequence[Sequence[float]],
        k: int,
        where: Where | None = None,
        *,
        method: Literal["mean", "rrf"] = "mean",
    ) -> list[CaseMatch]:
        search = CaseSearch(self.store, self.catalog)
        unit = unit_rows(np.array(rows, np.float32))
        direction = unit_rows(unit.mean(0, keepdims=True))
        fused = FusedQuery(direction, unit, np.full(len(unit), 1 / len(unit)), method)
        watch = Stopwatch()
        found = search.find(fused, k, watch, allowed=search.select(where or {}, watch))
        assert found.cases == found.nearest[:k]
        return list(found.cases)

    def best(self, row: Sequence[float], case_id: str) -> float:
        query = unit_rows(np.array([row], np.float32))[0]
        own = [i for i, r in enumerate(self.records) if r.case_id == case_id]
        return float((self.rows[own] @ query).max())


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    full = Shelf(tmp_path_factory.mktemp("shelf"))
    yield full
    full.catalog.close()


directions = st.lists(st.integers(-9, 9).map(float), min_size=DIM, max_size=DIM).filter(any)


@settings(max_examples=40, deadline=None)
@given(directions, st.integers(1, 7))
def test_the_k_nearest_cases_are_those_of_an_exhaustive_scan(
    shelf: Shelf, row: list[float], k: int
) -> None:
    expected = sorted((shelf.best(row, case_id) for case_id in CASES), reverse=True)[:k]
    found = shelf.find([row], k)
    np.testing.assert_allclose([case.similarity for case in found], expected, atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(directions)
def test_a_case_comes_with_all_its_images_however_far_they_are(
    shelf: Shelf, row: list[float]
) -> None:
    (nearest,) = shelf.find([row], 1)
    own = {r.diagnosis for r in shelf.records if r.case_id == nearest.case.case_id}
    assert {m.image.diagnosis for m in nearest.matches} == own
    assert len(nearest.matches) == min(20, CASES[nearest.case.case_id])


@settings(max_examples=20, deadline=None)
@given(directions)
def test_only_images_that_fit_the_filter_are_found(shelf: Shelf, row: list[float]) -> None:
    found = shelf.find([row], 5, {"site": ["urine"], "diagnosis": ["LSIL", "HSIL"]})
    assert found
    for case in found:
        assert case.case.site == "urine"
        assert {m.image.diagnosis for m in case.matches} <= {"LSIL", "HSIL"}


def test_a_filter_that_nothing_fits_finds_nothing(shelf: Shelf) -> None:
    assert shelf.find([[1.0] * DIM], 5, {"site": ["thyroid"]}) == []


def test_a_filter_on_an_unknown_field_is_refused(shelf: Shelf) -> None:
    with pytest.raises(FilterError, match="colour"):
        shelf.find([[1.0] * DIM], 5, {"colour": ["blue"]})


def test_more_cases_than_there_are_gives_them_all(shelf: Shelf) -> None:
    assert {c.case.case_id for c in shelf.find([[1.0] * DIM], 100)} == set(CASES)


def test_a_generated_picture_stays_flagged(shelf: Shelf) -> None:
    (case,) = shelf.find([[1.0] * DIM], 5, {"case_id": ["E"]})
    assert case.matches[0].image.origin is Origin.GENERATED


def test_rank_fusion_of_one_vector_is_the_plain_search(shelf: Shelf) -> None:
    row = [0.3, -1.0, 2.0, 0.0, 0.5, -0.2, 1.0, 0.1]
    assert shelf.find([row], 5, method="rrf") == shelf.find([row], 5)


def test_rank_fusion_prefers_what_both_vectors_rank_high(shelf: Shelf) -> None:
    first, second = shelf.rows[0], shelf.rows[40]
    found = shelf.find([first.tolist(), second.tolist()], 3, method="rrf")
    owners = {shelf.records[0].case_id, shelf.records[40].case_id}
    assert owners <= {case.case.case_id for case in found[:2]}


def test_a_wider_search_finds_what_the_index_alone_loses(tmp_path: Path) -> None:
    count, k = 2000, 10
    ids = np.arange(1, count + 1)
    rows = unit_rows(np.random.default_rng(5).normal(size=(count + 1, DIM)))
    settings = read_store("ivf?lists=40&probes=1&train_from=1")
    writer = make_store_writer(settings, tmp_path, dim=DIM)
    writer.add(ids, rows[:-1])
    store = open_store(settings, tmp_path, writer.seal(), dim=DIM)
    records = [
        ImageRecord(ImageId(i), f"C{i}", f"file:///{i}.png", f"{i:064x}", 8, 8)
        for i in range(1, count + 1)
    ]
    catalog = catalog_of(tmp_path, [CaseRecord(r.case_id, "cervix") for r in records], records)
    search = CaseSearch(store, catalog)
    asked = FusedQuery(rows[-1:], rows[-1:], np.ones(1), "mean")
    true = {f"C{i}" for i in ids[np.argsort(-(rows[:-1] @ rows[-1]))[:k]]}
    found = {
        width: {case.case.case_id for case in search.find(asked, k, Stopwatch(), width=width).cases}
        for width in (None, 40)
    }
    assert found[40] == true != found[None]


def test_an_embedding_without_a_record_is_told(tmp_path: Path) -> None:
    broken = Shelf(tmp_path)
    cases = [CaseRecord(case_id) for case_id in CASES]
    broken.catalog = catalog_of(tmp_path / "other", cases, broken.records[1:])
    with pytest.raises(ArchiveCorruptError, match=str(broken.records[0].image_id)):
        broken.find([broken.rows[0].tolist()], 2)
    broken.catalog.close()


def test_a_record_without_an_embedding_is_told(tmp_path: Path) -> None:
    broken = Shelf(tmp_path)
    left = np.array([r.image_id for r in broken.records[1:]], np.int64)
    broken.store = store_of(tmp_path / "other", left, broken.rows[1:])
    with pytest.raises(ArchiveCorruptError, match="verify"):
        broken.find([broken.rows[0].tolist()], 5)
    broken.catalog.close()


@pytest.fixture
def copies(tmp_path: Path) -> Iterator[CaseSearch]:
    """Five cases on an arc; B's first picture is A's by content, and C has only such a copy."""
    angles = {"A": [0.0], "B": [0.01, 0.3], "C": [0.02], "D": [0.32], "E": [1.2]}
    records, rows = [], []
    for case_id, turns in angles.items():
        for angle in turns:
            number = len(records)
            content = "f" * 64 if angle < 0.1 else f"{number:064x}"
            diagnosis = "HSIL" if case_id == "C" else "NILM"
            records.append(ImageRecord(ImageId(number), case_id, "", content, 8, 8, diagnosis))
            rows.append([np.cos(angle), np.sin(angle)])
    store = store_of(tmp_path, np.arange(len(rows)), unit_rows(np.array(rows, np.float32)))
    catalog = catalog_of(tmp_path, [CaseRecord(case_id) for case_id in angles], records)
    yield CaseSearch(store, catalog)
    catalog.close()


def ahead(k: int) -> tuple[FusedQuery, int, Stopwatch]:
    row = np.array([[1.0, 0.0]], np.float32)
    return FusedQuery(row, row, np.ones(1)), k, Stopwatch()


def test_a_repeated_picture_is_folded_and_its_case_stands_by_its_others(
    copies: CaseSearch,
) -> None:
    found = copies.find(*ahead(3))
    assert [case.case.case_id for case in found.cases] == ["A", "B", "D"]
    first, second, _ = found.cases
    assert [(m.image.case_id, m.image.diagnosis) for m in first.near_duplicates] == [
        ("B", "NILM"),
        ("C", "HSIL"),
    ]
    assert second.similarity == pytest.approx(np.cos(0.3), abs=1e-6)


def test_near_duplicates_are_listed_where_they_are_asked_for(copies: CaseSearch) -> None:
    found = copies.find(*ahead(3), near_duplicates=True)
    assert {case.case.case_id for case in found.cases} == {"A", "B", "C"}
    assert all(case.near_duplicates == () for case in found.cases)


def test_diversity_varies_the_list_and_not_the_nearest(copies: CaseSearch) -> None:
    found = copies.find(*ahead(3), diversity=0.9)
    assert [case.case.case_id for case in found.cases][:2] == ["A", "E"]
    assert found.nearest == copies.find(*ahead(3)).nearest


def test_work_that_is_cut_short_is_told(
    copies: CaseSearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert copies.find(*ahead(3), diversity=0.9).bounds == ()
    monkeypatch.setattr(case_search, "_POOL_CASES", 4)
    assert copies.find(*ahead(3)).bounds == ()
    assert copies.find(*ahead(3), diversity=0.9).bounds == (
        "different cases were chosen among the 4 nearest",
    )
    monkeypatch.setattr(case_search, "_FIELDS_COMPARED", 1)
    monkeypatch.setattr(near_duplicates, "_FIELD_PX", 8)
    (told,) = copies.find(*ahead(3)).bounds
    assert "among the 1 nearest pictures, beyond them copies only" in told


def test_a_score_has_its_places_however_few_cases_are_listed(copies: CaseSearch) -> None:
    found = copies.find(*ahead(1))
    assert (len(found.cases), len(found.nearest)) == (1, 3)
