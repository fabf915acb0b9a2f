from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np
import pytest
from PIL import Image
from tiny_archives import build_archive, write_table

from coin_retrieval.factory import open_archive
from coin_retrieval.presenting.answering import to_answer
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.search.judging.rivals import differences
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
from coin_retrieval.types import CaseMatch, CaseRecord, ImageId, ImageRecord, Match

COLOURS = {"HSIL": (90, 30, 120), "LSIL": (110, 60, 130), "NILM": (160, 200, 170)}
"""Diagnosis → the colour of its cells: LSIL looks like HSIL, NILM does not."""

_numbers = count()


def case(**attributes: str) -> CaseMatch:
    number = next(_numbers)
    image = ImageRecord(ImageId(number), f"C{number}", "", "", 8, 8, attributes=attributes)
    return CaseMatch(CaseRecord(f"C{number}"), 0.5, (Match(image, 0.5),))


@pytest.fixture(scope="module")
def retriever(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Retriever]:
    folder = tmp_path_factory.mktemp("rivals")
    rows = []
    for diagnosis, colour in {**COLOURS, "": (100, 90, 125)}.items():
        for number in range(5):
            name = f"{diagnosis or 'none'}{number}"
            noise = np.random.default_rng(next(_numbers)).integers(-25, 25, (40, 40, 3))
            picture = (np.array(colour) + noise).clip(0, 255).astype(np.uint8)
            Image.fromarray(picture).save(folder / f"{name}.png")
            rows.append(
                {"image_path": f"{name}.png", "case_id": name, "site": "cervix",
                 "diagnosis": diagnosis, "split": diagnosis,
                 "nucleus": "large" if diagnosis == "HSIL" else "small"}
            )  # fmt: skip
    build_archive(folder / "archive", write_table(folder / "cases.csv", rows))
    with open_archive(folder / "archive") as archive:
        yield Retriever(archive, HistogramEncoder(), None, PrototypeCache(folder / "cache"))


def test_rivals_are_named_though_none_is_among_the_nearest(retriever: Retriever) -> None:
    result = retriever.search(Query(liked=("HSIL0",), k=3, rivals=True))
    assert [rival.diagnosis for rival in result.rivals] == ["HSIL", "LSIL", "NILM"]
    leading, *others = result.rivals
    assert leading.differs == ()
    assert all(rival.share is None for rival in others)
    for rival in result.rivals:
        shown = [case.matches[0].image.diagnosis for case in rival.cases]
        assert shown == [rival.diagnosis] * 3
        assert "HSIL0" not in {case.case.case_id for case in rival.cases}


def test_what_differs_is_told_and_where_a_picture_came_from_is_not(retriever: Retriever) -> None:
    answer = to_answer(retriever.search(Query(liked=("HSIL0",), k=3, rivals=True)))
    (difference,) = answer.rivals[1].differs
    assert (difference.attribute, difference.value, difference.leading) == (
        "nucleus", "small", "large",
    )  # fmt: skip
    assert (difference.count, difference.of, difference.leading_of) == (5, 5, 4)


def test_a_filter_holds_for_rivals_too(retriever: Retriever) -> None:
    where = {"diagnosis": ["HSIL", "NILM"]}
    result = retriever.search(Query(liked=("HSIL0",), k=3, rivals=True, where=where))
    assert [rival.diagnosis for rival in result.rivals] == ["HSIL", "NILM"]


def test_nobody_asks_for_rivals_by_default(retriever: Retriever) -> None:
    assert retriever.search(Query(liked=("HSIL0",))).rivals == ()


def test_where_nothing_has_a_diagnosis_there_are_no_rivals(retriever: Retriever) -> None:
    where = {"split": ["nowhere"]}
    assert retriever.search(Query(liked=("HSIL0",), rivals=True, where=where)).rivals == ()


def test_an_attribute_that_both_have_alike_does_not_differ() -> None:
    assert differences([case(shape="round")] * 3, [case(shape="round")] * 3) == ()


def test_an_attribute_without_a_majority_does_not_differ() -> None:
    mixed = [case(shape="round"), case(shape="oval"), case(shape="odd")]
    assert differences(mixed, [case(shape="lobed")] * 3) == ()


def test_an_attribute_that_few_cases_have_does_not_differ() -> None:
    rare = [case(shape="round"), case(), case(), case()]
    assert differences(rare, [case(shape="lobed")] * 4) == ()


def test_the_clearest_difference_comes_first() -> None:
    here = [case(a="x", b="x")] * 3 + [case(a="x", b="y")]
    there = [case(a="y", b="y")] * 4
    assert [one.attribute for one in differences(here, there)] == ["a", "b"]
