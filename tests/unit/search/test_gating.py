"""Drawings are read back: an archive of colours, and a painter that errs on certain seeds."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_archives import build_archive, write_table

from coin_retrieval.archive import Archive
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.factory import open_archive
from coin_retrieval.presenting.answering import to_answer
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.prototypes.gate import FURTHER, NAME, judge, readable
from coin_retrieval.search.query import Query
from coin_retrieval.search.result import SearchResult
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
from coin_retrieval.types import (
    Embeddings,
    Provenance,
    RgbImage,
    SearchMode,
    Source,
    content_digest,
)

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}


def paint(colour: str, number: int) -> RgbImage:
    noise = np.random.default_rng(number).integers(-25, 25, (40, 40, 3))
    return (np.array(COLOURS[colour]) + noise).clip(0, 255).astype(np.uint8)


class ReadingEncoder(HistogramEncoder):
    """A text is where its first known colour is."""

    def encode_text(self, texts: Sequence[str]) -> Embeddings:
        return self.encode([paint(next(c for c in COLOURS if c in text), 0) for text in texts])

    def dropped_text(self, text: str) -> str:
        return ""


class Painter(Prototyper):
    """Paints what a report says, and blue from the seeds ``errs``."""

    def __init__(self, errs: Collection[int]) -> None:
        self.name = "painter"
        self.identity = content_digest({"painter": 1})
        self.errs = errs
        self.drawn: list[int] = []

    def _plan(self, source: Source) -> Provenance:
        return Provenance("painter", "w", source, 0, 1, 0.0, 40, 40)

    def _draw(self, plans: Sequence[Provenance], on_step: Callable[[int], None]) -> list[RgbImage]:
        self.drawn += [plan.seed for plan in plans]
        said = [next(c for c in COLOURS if c in plan.source.text) for plan in plans]
        return [
            paint("blue" if plan.seed in self.errs else colour, 100 + plan.seed)
            for plan, colour in zip(plans, said, strict=True)
        ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("colours")
    rows = []
    for place, colour in enumerate(COLOURS):
        for number in range(6):
            name = f"{colour}{number}"
            Image.fromarray(paint(colour, 10 * place + number)).save(folder / f"{name}.png")
            rows.append({"image_path": f"{name}.png", "case_id": name, "finding": colour})
    write_table(folder / "cases.csv", rows)
    bare = [{k: v for k, v in row.items() if k != "finding"} for row in rows]
    write_table(folder / "bare.csv", bare)
    build_archive(folder / "archive", folder / "cases.csv")
    build_archive(folder / "unlabelled", folder / "bare.csv")
    return folder


@pytest.fixture
def archive(folder: Path) -> Iterator[Archive]:
    with open_archive(folder / "archive") as archive:
        yield archive


def _search(
    archive: Archive,
    tmp_path: Path,
    painter: Painter,
    encoder: Encoder | None = None,
    **asked: object,
) -> SearchResult:
    cache = PrototypeCache(tmp_path / "cache")
    retriever = Retriever(archive, encoder or ReadingEncoder(), painter, cache)
    return retriever.search(Query.of(report="red cells", k=3, **asked))


def test_drawings_that_show_what_they_should_all_count(archive: Archive, tmp_path: Path) -> None:
    painter = Painter(())
    result = _search(archive, tmp_path, painter)
    assert painter.drawn == [0, 1, 2, 3]
    assert [verdict.passed for verdict in result.verdicts] == [True] * 4
    assert {verdict.shows for verdict in result.verdicts} == {"red"}
    assert result.notices == ()
    assert result.plan.public().gate == NAME


def test_a_drawing_of_something_else_weighs_nothing_and_is_drawn_anew(
    archive: Archive, tmp_path: Path
) -> None:
    painter = Painter({1, 4})
    result = _search(archive, tmp_path, painter, mode="prototype")
    assert painter.drawn == [0, 1, 2, 3, 4, 5]
    shown = ["red", "blue", "red", "red", "blue", "red"]
    assert [verdict.shows for verdict in result.verdicts] == shown
    assert [verdict.passed for verdict in result.verdicts] == [one == "red" for one in shown]
    parts = [part.label for part in result.cases[0].matches[0].parts if part.kind == "prototype"]
    assert parts == ["0", "2", "3", "5"]
    answer = to_answer(result)
    assert [one.passed for one in answer.prototypes] == [True, False, True, True, False, True]


@pytest.mark.parametrize("mode", ["fused", "prototype"])
def test_where_no_drawing_passes_the_text_is_searched_and_said_so(
    archive: Archive, tmp_path: Path, mode: str
) -> None:
    painter = Painter(range(100))
    result = _search(archive, tmp_path, painter, mode=mode)
    assert painter.drawn == list(range(4 + FURTHER))
    assert result.mode is SearchMode.TEXT
    assert [verdict.passed for verdict in result.verdicts] == [False] * (4 + FURTHER)
    assert any("searched by the text alone" in notice for notice in result.notices)
    assert {case.matches[0].image.finding for case in result.cases} == {"red"}


def test_the_gate_can_be_switched_off_and_the_plan_says_so(
    archive: Archive, tmp_path: Path
) -> None:
    painter = Painter({0})
    result = _search(archive, tmp_path, painter, gate=False, mode="prototype")
    assert painter.drawn == [0, 1, 2, 3]
    assert result.verdicts == ()
    gate = result.plan.public().gate
    assert gate is not None
    assert gate.startswith("none")


def test_an_archive_without_labels_has_no_gate_and_says_so(folder: Path, tmp_path: Path) -> None:
    with open_archive(folder / "unlabelled") as archive:
        result = _search(archive, tmp_path, Painter({0}), mode="prototype")
    assert result.verdicts == ()
    gate = result.plan.public().gate
    assert gate is not None
    assert "no labels" in gate


def test_without_words_the_odd_one_out_is_left_out_and_nothing_drawn_anew(
    archive: Archive, tmp_path: Path
) -> None:
    painter = Painter({2})
    result = _search(archive, tmp_path, painter, HistogramEncoder())
    assert [verdict.passed for verdict in result.verdicts] == [True, True, False, True]
    assert painter.drawn == [0, 1, 2, 3]


def test_without_words_and_without_a_majority_nothing_is_judged(
    archive: Archive, tmp_path: Path
) -> None:
    result = _search(archive, tmp_path, Painter({0, 1}), HistogramEncoder())
    assert [verdict.passed for verdict in result.verdicts] == [None] * 4
    assert len([p for p in result.cases[0].matches[0].parts if p.kind == "prototype"]) == 4


def test_the_same_question_asked_again_draws_nothing(archive: Archive, tmp_path: Path) -> None:
    first = _search(archive, tmp_path, Painter({1}))
    again = Painter({1})
    second = _search(archive, tmp_path, again)
    assert again.drawn == []
    assert second.verdicts == first.verdicts


def test_labels_of_too_few_pictures_are_not_read() -> None:
    rows = np.eye(4, dtype=np.float32)
    assert readable({"a": rows[:3], "b": rows[3:]}) is None
    both = readable({"a": rows[:3], "b": rows[[3, 3, 3]]})
    assert both is not None
    assert both.names == ("a", "b")
    (verdict,) = judge(rows[[3]], both, rows[[0]])
    assert (verdict.passed, verdict.shows, verdict.wanted) == (False, "b", "a")
