from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from histogram_encoder import HistogramEncoder
from PIL import Image
from tiny_archives import build_archive, write_table

from coin_retrieval.cli.evaluate import to_markdown
from coin_retrieval.config import (
    DiffusersGeneratorSettings,
    FusionSettings,
    OpenClipEncoderSettings,
)
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.errors import InputError
from coin_retrieval.evaluation.retrieval import (
    LabelledReport,
    RetrievalEvaluation,
    RetrievalFigures,
)
from coin_retrieval.factory import make_encoder, make_generator, open_archive
from coin_retrieval.generation.base import Generator
from coin_retrieval.retrieval.prototypes import PrototypeCache
from coin_retrieval.retrieval.query import Query
from coin_retrieval.retrieval.retriever import Retriever
from coin_retrieval.types import SearchMode

COLOURS = {"eosinophil": (225, 96, 80), "lymphocyte": (32, 32, 160), "platelet": (240, 224, 208)}
PER_FINDING = 5


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of one colour a finding; two pictures of each finding share a case."""
    folder = tmp_path_factory.mktemp("coloured")
    random = np.random.default_rng(0)
    rows = []
    for finding, colour in COLOURS.items():
        for index in range(PER_FINDING):
            noise = random.integers(-6, 6, (24, 24, 3))
            name = f"{finding}-{index}.png"
            Image.fromarray((np.array(colour) + noise).astype(np.uint8)).save(folder / name)
            case = f"{finding}-{max(index, 1)}"
            rows.append({"image_path": name, "case_id": case, "finding": finding})
    return write_table(folder / "cases.csv", rows)


def _retriever(
    table: Path, root: Path, encoder: Encoder, generator: Generator | None = None
) -> Iterator[Retriever]:
    build_archive(root / "archive", table, encoder=encoder)
    archive = open_archive(root / "archive")
    yield Retriever(archive, encoder, generator, PrototypeCache(root / "cache"), FusionSettings())
    archive.close()


@pytest.fixture
def by_colour(table: Path, tmp_path: Path) -> Iterator[Retriever]:
    yield from _retriever(table, tmp_path, HistogramEncoder())


@pytest.fixture
def by_words(
    table: Path, tmp_path: Path, tiny_open_clip_dir: Path, tiny_pipeline_dir: Path
) -> Iterator[Retriever]:
    encoder = make_encoder(
        OpenClipEncoderSettings(model=str(tiny_open_clip_dir), text_tower="minilm", device="cpu")
    )
    generator = make_generator(
        DiffusersGeneratorSettings(model=str(tiny_pipeline_dir), text_encoder="minilm")
    )
    yield from _retriever(table, tmp_path, encoder, generator)


def test_pictures_of_like_colour_find_each_other_and_never_their_own_case(
    by_colour: Retriever,
) -> None:
    figures = RetrievalEvaluation(by_colour, where={}, k=3).pictures()
    # a finding has four cases, so three others: the two pictures of a case do not find each other
    assert figures.precision == 1.0
    assert {c.ceiling for c in figures.classes} == {1.0}
    assert {c.cases for c in figures.classes} == {PER_FINDING - 1}


def test_a_class_with_few_cases_has_a_low_ceiling(by_colour: Retriever) -> None:
    figures = RetrievalEvaluation(by_colour, where={}, k=10).pictures()
    assert {c.ceiling for c in figures.classes} == {0.3}
    assert figures.precision == pytest.approx(0.3)


@pytest.mark.parametrize("mode", [SearchMode.TEXT, SearchMode.PROTOTYPE, SearchMode.FUSED])
def test_reports_are_judged_by_what_a_search_answers(by_words: Retriever, mode: SearchMode) -> None:
    evaluation = RetrievalEvaluation(by_words, where={}, k=4)
    report = LabelledReport("orange granules", "eosinophil")
    figures = evaluation.reports(mode, [report], prototypes=2, seed=5)
    found = by_words.search(Query(report.report, mode=mode, k=4, prototypes=2, seed=5)).cases
    right = sum(case.matches[0].image.finding == "eosinophil" for case in found)
    assert figures.precision == right / 4


def test_a_report_whose_label_is_not_in_the_archive_is_left_out(by_words: Retriever) -> None:
    evaluation = RetrievalEvaluation(by_words, where={}, k=2)
    asked = [LabelledReport("a", "eosinophil"), LabelledReport("b", "unicorn")]
    figures = evaluation.reports(SearchMode.TEXT, asked)
    assert [c.label for c in figures.classes] == ["eosinophil"]
    with pytest.raises(InputError, match="label"):
        evaluation.reports(SearchMode.TEXT, asked[1:])


def test_the_table_has_a_row_a_class_and_a_column_a_mode(by_colour: Retriever) -> None:
    figures = RetrievalFigures(
        k=3,
        by="finding",
        where={},
        encoder="histogram",
        prototypes=1,
        seed=0,
        modes=[RetrievalEvaluation(by_colour, where={}, k=3).pictures()],
    )
    lines = to_markdown(figures).splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:5]] == sorted(COLOURS)
    assert all(line.count("|") == lines[0].count("|") for line in lines)
