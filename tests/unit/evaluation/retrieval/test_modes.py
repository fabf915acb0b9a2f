from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_archives import build_archive, write_table

from coin_retrieval.config import (
    DiffusersGeneratorSettings,
    FusionSettings,
    OpenClipEncoderSettings,
)
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.errors import InputError
from coin_retrieval.evaluation.retrieval.modes import RetrievalEvaluation, evaluate
from coin_retrieval.evaluation.retrieval.rankings import Ranking, differences
from coin_retrieval.evaluation.retrieval.table import to_markdown
from coin_retrieval.factory import make_encoder, make_generator, open_archive
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.testing.histogram_encoder import HistogramEncoder
from coin_retrieval.testing.noise_prototyper import NoisePrototyper
from coin_retrieval.types import SearchMode
from coin_retrieval.wordings.labelled_reports import LabelledReport

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
    grey = "unlabelled.png"
    Image.fromarray(np.full((24, 24, 3), 128, np.uint8)).save(folder / grey)
    rows.append({"image_path": grey, "case_id": "unlabelled", "finding": ""})
    return write_table(folder / "cases.csv", rows)


def _retriever(
    table: Path, root: Path, encoder: Encoder, generator: Prototyper | None = None
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
    evaluation = RetrievalEvaluation(by_colour, where={}, k=3)
    figures = evaluation.figures(evaluation.pictures())
    # a finding has four cases, so three others: the two pictures of a case do not find each other
    assert figures.precision == 1.0
    assert {c.ceiling for c in figures.classes} == {1.0}
    assert {c.cases for c in figures.classes} == {PER_FINDING - 1}


def test_a_class_with_few_cases_has_a_low_ceiling_but_may_rank_perfectly(
    by_colour: Retriever,
) -> None:
    evaluation = RetrievalEvaluation(by_colour, where={}, k=10)
    figures = evaluation.figures(evaluation.pictures())
    assert {c.ceiling for c in figures.classes} == {0.3}
    assert figures.precision == pytest.approx(0.3)
    assert figures.average_precision == figures.ndcg == 1.0


def test_accuracy_looks_at_five_places_however_small_k_is(by_colour: Retriever) -> None:
    ranking = RetrievalEvaluation(by_colour, where={}, k=1).pictures()
    assert {len(found) for found in ranking.found} == {5}


def test_reports_that_can_neither_be_read_nor_drawn_are_counted_not_asked(
    table: Path, tmp_path: Path
) -> None:
    retriever = next(_retriever(table, tmp_path, HistogramEncoder(), NoisePrototyper()))
    known = LabelledReport("an eosinophil", "eosinophil")
    unknown = LabelledReport("unknown", "platelet")
    figures = evaluate(retriever, [known, unknown], modes=["prototype"], prototypes=1)
    assert (figures.modes[0].queries, figures.undrawn) == (1, 1)
    assert "1 further reports were not asked" in to_markdown(figures)
    with pytest.raises(InputError, match="never learned to draw any"):
        evaluate(retriever, [unknown], modes=["prototype"], prototypes=1)


def test_pictures_without_a_label_are_no_queries(by_colour: Retriever) -> None:
    ranking = RetrievalEvaluation(by_colour, where={}, k=3).pictures()
    assert len(ranking.truth) == PER_FINDING * len(COLOURS)
    assert set(ranking.truth) == set(COLOURS)


def test_a_listener_hears_of_every_stage_from_none_to_all(by_words: Retriever) -> None:
    heard: list[tuple[str, int, int]] = []
    report = LabelledReport("orange granules", "eosinophil")
    evaluate(
        by_words,
        [report, report],
        modes=[SearchMode.IMAGE, SearchMode.TEXT],
        on=lambda stage, done, of: heard.append((stage, done, of)),
    )
    queries = PER_FINDING * len(COLOURS)
    assert heard[0] == ("image", 0, queries)
    assert ("image", queries, queries) in heard
    assert heard[-3:] == [("asking", 0, 2), ("asking", 1, 2), ("asking", 2, 2)]


def test_a_filter_that_nothing_fits_is_an_error(by_colour: Retriever) -> None:
    with pytest.raises(InputError, match="no picture"):
        RetrievalEvaluation(by_colour, where={"finding": ["unicorn"]})


@pytest.mark.parametrize("mode", [SearchMode.TEXT, SearchMode.PROTOTYPE, SearchMode.FUSED])
def test_reports_are_judged_by_what_a_search_answers(by_words: Retriever, mode: SearchMode) -> None:
    evaluation = RetrievalEvaluation(by_words, where={}, k=4)
    report = LabelledReport("orange granules", "eosinophil")
    (ranking,) = evaluation.reports([mode], [report], prototypes=2, seed=5)
    figures = evaluation.figures(ranking)
    found = by_words.search(Query(report=report.report, mode=mode, k=4, prototypes=2, seed=5)).cases
    right = sum(case.matches[0].image.finding == "eosinophil" for case in found)
    assert figures.precision == right / 4


def test_the_case_that_a_report_was_written_for_is_not_found(by_words: Retriever) -> None:
    evaluation = RetrievalEvaluation(by_words, where={}, k=20)
    everything = LabelledReport("orange granules", "eosinophil")
    own_left_out = LabelledReport("orange granules", "eosinophil", case_id="eosinophil-1")
    (ranking,) = evaluation.reports([SearchMode.TEXT], [everything])
    (whole,) = ranking.found
    (ranking,) = evaluation.reports([SearchMode.TEXT], [own_left_out])
    assert whole.count("eosinophil") == PER_FINDING - 1
    assert ranking.found[0].count("eosinophil") == PER_FINDING - 2
    assert ranking.findable == [PER_FINDING - 2]
    assert ranking.cases == ["eosinophil-1"]


def test_a_report_whose_label_is_not_in_the_archive_is_left_out(by_words: Retriever) -> None:
    evaluation = RetrievalEvaluation(by_words, where={}, k=2)
    asked = [LabelledReport("a", "eosinophil"), LabelledReport("b", "unicorn")]
    (ranking,) = evaluation.reports([SearchMode.TEXT], asked)
    figures = evaluation.figures(ranking)
    assert [c.label for c in figures.classes] == ["eosinophil"]
    with pytest.raises(InputError, match="label"):
        evaluation.reports([SearchMode.TEXT], asked[1:])


def ranking(mode: SearchMode, *found: list[str]) -> Ranking:
    """Two queries of ``a``, one of ``b``; three cases of each can be found."""
    return Ranking(mode, ["a", "a", "b"], ["1", "2", "3"], [3, 3, 3], found)


def test_differences_pair_reports_with_reports_and_pictures_with_nothing() -> None:
    asked = [
        ranking(mode, ["a"], ["a"], ["b"])
        for mode in (SearchMode.IMAGE, SearchMode.TEXT, SearchMode.FUSED, SearchMode.PROTOTYPE)
    ]
    pairs = [(pair.mode, pair.baseline) for pair in differences(asked, k=1)]
    assert pairs == [("fused", "prototype"), ("fused", "text"), ("prototype", "text")]


def test_a_difference_is_the_macro_average_of_each_querys_own() -> None:
    text = ranking(SearchMode.TEXT, ["b", "b"], ["a", "a"], ["b", "b"])
    fused = ranking(SearchMode.FUSED, ["a", "b"], ["a", "a"], ["b", "b"])
    (pair,) = differences([text, fused], k=2)
    assert pair.figures["precision"].mean == pytest.approx(0.125)
    assert pair.figures["precision"].low == 0.0
    assert pair.figures["precision"].high == pytest.approx(0.25)
    assert pair.figures["accuracy_1"].mean == pytest.approx(0.25)
