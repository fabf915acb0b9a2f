"""Evidence is counted once: on an archive that was built from pictures, copies and all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_archives import build_archive, write_table
from unit.ranking.test_near_duplicates import field

from coin_retrieval.factory import open_archive
from coin_retrieval.images.decoding import load_image
from coin_retrieval.presenting.answer import SearchAnswer
from coin_retrieval.presenting.answering import to_answer
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.testing.histogram_encoder import HistogramEncoder

FIELDS = {
    "mine": (1, 0),
    "overlaps": (1, 60),
    "sister": (2, 0),
    "other": (3, 0),
    "fourth": (4, 0),
}
"""Case → which field, and where its window begins: two windows of field 1 overlap."""


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retriever]:
    """``sister`` is a second case of ``other``'s patient; ``overlaps`` has a further picture."""
    folder = tmp_path_factory.mktemp("evidence")
    rows = [
        {"image_path": f"{case}.png", "case_id": case, "site": "lung", "diagnosis": "adeno"}
        for case in FIELDS
    ]
    for row in rows:
        if row["case_id"] in ("sister", "other"):
            row["patient_id"] = "P1"
    for case, (number, left) in FIELDS.items():
        _save(folder / f"{case}.png", field(number)[:200, left : left + 200])
    _save(folder / "further.png", field(9)[:200, :200])
    rows.append(rows[1] | {"image_path": "further.png"})
    _save(folder / "skin.png", np.full((50, 50, 3), 90, np.uint8))
    rows.append(
        {"image_path": "skin.png", "case_id": "skin", "site": "skin", "diagnosis": "naevus"}
    )
    build_archive(folder / "archive", write_table(folder / "cases.csv", rows))
    with open_archive(folder / "archive") as archive:
        yield Retriever(archive, HistogramEncoder(), None, PrototypeCache(folder / "cache"))


def _save(path: Path, picture: np.ndarray) -> None:
    Image.fromarray(picture).save(path)


def _answer(retriever: Retriever, query: Query, picture: Path | None = None) -> SearchAnswer:
    return to_answer(retriever.search(query, None if picture is None else load_image(picture)))


def test_a_liked_case_is_no_evidence_and_neither_is_what_overlaps_it(retriever: Retriever) -> None:
    answer = _answer(retriever, Query(liked=("mine",), where={"site": ["lung"]}))
    assert [own.case.case_id for own in answer.own] == ["mine"]
    by_case = {case.case_id: case for case in answer.cases}
    assert "mine" not in by_case
    repeats = by_case["overlaps"]
    assert (repeats.repeats, repeats.repeats_because) == ("mine", "picture")
    support = answer.support
    assert support is not None
    # sister and other are one patient; fourth names none
    assert (support.counted, support.unit, support.nearest) == (2, "case", 4)


def test_two_cases_of_a_patient_are_listed_and_counted_once(retriever: Retriever) -> None:
    answer = _answer(retriever, Query(liked=("fourth",), where={"site": ["lung"]}))
    listed = [case.case_id for case in answer.cases]
    assert {"sister", "other"} <= {*listed}
    second = next(case for case in answer.cases if case.repeats_because == "patient")
    assert {second.case_id, second.repeats} == {"sister", "other"}


def test_overlapping_fields_fold_and_count_once_even_where_they_are_listed(
    retriever: Retriever, tmp_path: Path
) -> None:
    blank = tmp_path / "elsewhere.png"
    _save(blank, field(7)[:200, :200])
    folded = _answer(retriever, Query(where={"site": ["lung"]}), blank)
    listed = _answer(retriever, Query(where={"site": ["lung"]}, near_duplicates=True), blank)
    assert folded.support is not None
    assert listed.support is not None
    assert folded.support.counted == listed.support.counted == 3


def test_a_copy_of_an_archive_picture_is_told_so(retriever: Retriever, tmp_path: Path) -> None:
    copy = tmp_path / "copy.jpg"
    Image.fromarray(np.rot90(field(4)[:200, :200])).resize((150, 150)).save(copy, quality=60)
    answer = _answer(retriever, Query(), copy)
    assert [(own.case.case_id, own.because) for own in answer.own] == [("fourth", "picture")]
    assert "fourth" not in {case.case_id for case in answer.cases}


def test_a_picture_from_elsewhere_has_no_case_here(retriever: Retriever, tmp_path: Path) -> None:
    _save(tmp_path / "new.png", field(7)[:200, :200])
    assert _answer(retriever, Query(), tmp_path / "new.png").own == []


def test_where_all_that_was_searched_bears_one_diagnosis_agreement_says_nothing(
    retriever: Retriever,
) -> None:
    support = _answer(retriever, Query(liked=("mine",), where={"site": ["lung"]})).support
    assert support is not None
    assert "All 5 cases of this site (lung)" in support.one_label
    assert "says nothing" in support.one_label


def test_where_sites_are_mixed_nothing_of_the_kind_is_said(retriever: Retriever) -> None:
    support = _answer(retriever, Query(liked=("mine",))).support
    assert support is not None
    assert support.one_label == ""
