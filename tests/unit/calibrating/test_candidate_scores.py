"""What is calculated on vectors must be what a search answers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tiny_archives import LABEL, write_picture, write_table

from coin_retrieval.archive import Archive
from coin_retrieval.calibrating.candidate_scores import CandidateScores, spaces_of
from coin_retrieval.calibrating.candidates import WHITENINGS, Candidate, candidates
from coin_retrieval.calibrating.case_ranking import CaseVectors, case_vectors
from coin_retrieval.calibrating.labelled_pictures import labelled_pictures
from coin_retrieval.calibrating.query_bank import EmbeddedQuery, embed_queries, modality_means
from coin_retrieval.config import (
    DiffusersGeneratorSettings,
    FusionSettings,
    OpenClipEncoderSettings,
)
from coin_retrieval.encoding.open_clip.encoder import OpenClipEncoder
from coin_retrieval.factory import make_encoder, open_archive
from coin_retrieval.generation.diffusers import DiffusersGenerator
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.testing.noise_prototyper import NoisePrototyper
from coin_retrieval.types import SearchMode
from coin_retrieval.wordings.labelled_reports import LabelledReport
from indexer.building import BuildSettings, build
from indexer.rows import read_sources

K = 4
REPORTS = [
    LabelledReport("orange granules", "red"),
    LabelledReport("round dark nucleus", "blue", "C3"),
    LabelledReport("vacuoles", "red", "C0"),
]


@pytest.fixture(scope="module")
def encoder(tiny_open_clip_dir: Path) -> OpenClipEncoder:
    encoder = make_encoder(
        OpenClipEncoderSettings(
            model=str(tiny_open_clip_dir), text_tower="minilm", device="cpu", dtype="float32"
        )
    )
    assert isinstance(encoder, OpenClipEncoder)
    return encoder


@pytest.fixture(scope="module")
def archive(
    encoder: OpenClipEncoder, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Archive]:
    """36 pictures of 12 cases, some cases with pictures of two labels, a few of them drawn."""
    folder = tmp_path_factory.mktemp("ranked")
    rows = []
    for number in range(36):
        write_picture(folder / f"{number}.png", seed=number)
        rows.append(
            {
                "image_path": f"{number}.png",
                "case_id": f"C{number // 3}",
                "finding": "red" if number % 5 < 3 else "blue",
                "site": "here" if number < 30 else "there",
                "origin": "generated" if number % 9 == 0 else "real",
            }
        )
    table = write_table(folder / "cases.csv", rows)
    from coin_retrieval.config import FaissStoreSettings

    build(
        folder / "archive",
        read_sources([table], archive=folder / "archive", where={}),
        encoder=encoder,
        settings=BuildSettings(LABEL, FaissStoreSettings(), 8, workers=1),
        where={},
    )
    with open_archive(folder / "archive") as opened:
        yield opened


@pytest.fixture(scope="module")
def generator(tiny_pipeline_dir: Path) -> DiffusersGenerator:
    return DiffusersGenerator(
        DiffusersGeneratorSettings(
            model=str(tiny_pipeline_dir), text_encoder="minilm", device="cpu", dtype="float32"
        )
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> PrototypeCache:
    return PrototypeCache(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def bank(
    archive: Archive, encoder: OpenClipEncoder, generator: DiffusersGenerator, cache: PrototypeCache
) -> list[EmbeddedQuery]:
    retriever = Retriever(archive, encoder, generator, cache, FusionSettings())
    return embed_queries(retriever, REPORTS, modes=list(retriever.planner.modes), prototypes=4)


@pytest.fixture(scope="module")
def pictures(archive: Archive) -> CaseVectors:
    chosen = labelled_pictures(archive, where={"site": ["here"]}, by="finding")
    return case_vectors(archive, chosen)


def ways(bank: list[EmbeddedQuery], pictures: CaseVectors) -> list[Candidate]:
    """A few of every kind."""
    means = modality_means(bank, pictures.mean)
    modes = (SearchMode.TEXT, SearchMode.PROTOTYPE, SearchMode.FUSED)
    tried = candidates(modes, means, counts=(1, 4))
    return tried[::5]


def test_the_precision_of_every_candidate_is_that_of_a_search(
    archive: Archive,
    encoder: OpenClipEncoder,
    generator: DiffusersGenerator,
    cache: PrototypeCache,
    bank: list[EmbeddedQuery],
    pictures: CaseVectors,
) -> None:
    tried = ways(bank, pictures)
    assert {way.fusion.method for way in tried} == {"mean", "rrf", "max"}
    assert {way.mode for way in tried} == set(SearchMode) - {SearchMode.IMAGE}
    assert {way.fusion.whitening for way in tried} == set(WHITENINGS)
    scores = CandidateScores(pictures, spaces=spaces_of(archive.store, WHITENINGS), k=K)
    values = scores.precisions(bank, tried)
    assert 0 < values.mean() < 1
    for row, way in enumerate(tried):
        retriever = Retriever(archive, encoder, generator, cache, way.fusion)
        for column, asked in enumerate(REPORTS):
            found = retriever.search(
                Query(
                    report=asked.report,
                    mode=way.mode,
                    k=K + bool(asked.case_id),
                    where={"site": ["here"]},
                    prototypes=way.prototypes or None,
                    near_duplicates=True,
                )
            )
            others = [case for case in found.cases if case.case.case_id != asked.case_id]
            right = [case.matches[0].image.finding == asked.label for case in others[:K]]
            assert values[row, column] == pytest.approx(sum(right) / K), way


def test_the_first_prototypes_of_eight_are_those_of_a_search_for_fewer(
    archive: Archive,
    encoder: OpenClipEncoder,
    generator: DiffusersGenerator,
    cache: PrototypeCache,
    bank: list[EmbeddedQuery],
) -> None:
    retriever = Retriever(archive, encoder, generator, cache, FusionSettings())
    fewer = embed_queries(retriever, REPORTS, modes=[SearchMode.PROTOTYPE], prototypes=2)
    drawn = [(one, more) for one, more in zip(fewer, bank, strict=True) if one.pictures is not None]
    assert drawn
    for one, more in drawn:
        assert one.text is None
        np.testing.assert_allclose(one.pictures, more.first(2), atol=1e-5)
    refused = [more.first(2) for one, more in zip(fewer, bank, strict=True) if one.text is not None]
    assert refused == [None] * len(refused)


def test_a_report_that_is_never_drawn_is_its_text_in_every_mode(
    archive: Archive, encoder: OpenClipEncoder, cache: PrototypeCache, pictures: CaseVectors
) -> None:
    retriever = Retriever(archive, encoder, NoisePrototyper(), cache, FusionSettings())
    asked = [LabelledReport("unknown", "red")]
    bank = embed_queries(retriever, asked, modes=list(retriever.planner.modes), prototypes=4)
    tried = [Candidate(mode, FusionSettings(), 4) for mode in retriever.planner.modes]
    scores = CandidateScores(pictures, k=K)
    assert bank[0].pictures is None
    assert len(set(scores.precisions(bank, tried)[:, 0])) == 1


def test_no_candidate_is_tried_twice(bank: list[EmbeddedQuery], pictures: CaseVectors) -> None:
    means = modality_means(bank, pictures.mean)
    modes = (SearchMode.TEXT, SearchMode.PROTOTYPE, SearchMode.FUSED)
    tried = candidates(modes, means)
    assert len(set(tried)) == len({str(way) for way in tried}) == len(tried)


def test_a_vision_only_archive_has_only_prototypes_to_try(
    bank: list[EmbeddedQuery], pictures: CaseVectors
) -> None:
    tried = candidates([SearchMode.PROTOTYPE], modality_means(bank, pictures.mean))
    assert {way.mode for way in tried} == {SearchMode.PROTOTYPE}


def test_a_modality_that_nobody_made_is_not_moved(bank: list[EmbeddedQuery]) -> None:
    texts = [EmbeddedQuery(query.asked, query.text, None) for query in bank]
    means = modality_means(texts, [0.5] * 16)
    assert means.generated == means.real
    assert means.text != means.real
