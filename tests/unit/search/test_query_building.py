"""Marks, exclusions, pictures beside reports and calibrated defaults, through whole searches."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from tiny_archives import store_of

from coin_retrieval.archive import Archive
from coin_retrieval.archive.measured.calibration import Calibration, CloseMatch
from coin_retrieval.calibrating.text_closeness import Holdings, text_closeness
from coin_retrieval.config import FusionSettings
from coin_retrieval.encoding.open_clip.encoder import OpenClipEncoder
from coin_retrieval.encoding.sentences import SentenceEncoder
from coin_retrieval.encoding.timm.encoder import TimmEncoder
from coin_retrieval.errors import InputError, NotFoundError
from coin_retrieval.generation.diffusers import DiffusersGenerator
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.prototypes.drawer import PrototypeDrawer
from coin_retrieval.ranking.fusion import mean_direction
from coin_retrieval.search.query import Query
from coin_retrieval.search.result import SearchResult
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.types import RgbImage, SearchMode
from coin_retrieval.wordings.known import known_digest, known_sentences

REPORT = "Koilocytes with perinuclear halos."


def _with(query: Query, **fields: object) -> Query:
    return query.model_copy(update=fields)


TEXT = Query(report=REPORT, mode=SearchMode.TEXT, k=6)


@pytest.fixture
def cache(tmp_path: Path) -> PrototypeCache:
    return PrototypeCache(tmp_path)


@pytest.fixture
def retriever(
    archive: Archive, encoder: OpenClipEncoder, generator: DiffusersGenerator, cache: PrototypeCache
) -> Retriever:
    return Retriever(archive, encoder, generator, cache, FusionSettings())


def of_case(result: SearchResult, case_id: str) -> float:
    return next(
        case.similarity for case in (*result.cases, *result.own) if case.case.case_id == case_id
    )


def calibrated(archive: Archive, drawn_by: DiffusersGenerator, **changes: object) -> Archive:
    """The archive with a calibration by this generator."""
    calibration = Calibration(
        created_at=datetime.now(UTC),
        queries=40,
        by="finding",
        mode=SearchMode.TEXT,
        fusion=FusionSettings(text_weight=0.3, method="max"),
        prototypes=2,
        figures={},
        close_match=CloseMatch(threshold=9, false_alarm_rate=0.05, queries=40),
        known=known_digest(),
        generator=PrototypeDrawer(drawn_by, PrototypeCache(Path("nowhere"))).identity,
        generator_name="tiny",
        images=12,
    ).model_copy(update=changes)
    held = Holdings(findings=frozenset({"LSIL", "eosinophil"}))
    block = text_closeness(held, known_sentences(), SentenceEncoder())
    manifest = archive.manifest.model_copy(update={"calibration": calibration, "closeness": block})
    return replace(archive, manifest=manifest)


def test_a_liked_case_comes_nearer_and_a_disliked_one_goes_away(retriever: Retriever) -> None:
    last = retriever.search(TEXT).cases[-1].case.case_id
    first = retriever.search(TEXT).cases[0].case.case_id
    liked = retriever.search(_with(TEXT, liked=(last,)))
    assert last not in [case.case.case_id for case in liked.cases], "it is no evidence of itself"
    assert of_case(liked, last) > of_case(retriever.search(TEXT), last)
    disliked = retriever.search(_with(TEXT, disliked=(first,)))
    assert of_case(disliked, first) < of_case(retriever.search(TEXT), first)


def test_a_liked_case_alone_is_searched_like_a_picture_of_it(
    retriever: Retriever, archive: Archive
) -> None:
    result = retriever.search(Query(liked=("C2",), k=6))
    assert result.mode is SearchMode.IMAGE
    mean = mean_direction(archive.store.vectors(np.array([4, 5])))
    best = archive.store.search(mean, 1)[0][0]
    nearest = max(case.similarity for case in (*result.cases, *result.own))
    assert nearest == pytest.approx(best.similarity, abs=1e-5)


def test_a_marked_case_that_is_not_here_is_told_before_anything_is_drawn(
    retriever: Retriever,
) -> None:
    with pytest.raises(NotFoundError):
        retriever.search(Query(report=REPORT, liked=("nobody",)))
    assert not list(retriever.cache.root.rglob("*.png"))


def test_what_is_not_looked_for_is_read_as_a_text(
    retriever: Retriever, archive: Archive, encoder: OpenClipEncoder
) -> None:
    result = retriever.search(_with(TEXT, unlike="Clue cells."))
    words, avoided = encoder.encode_text([REPORT]), encoder.encode_text(["Clue cells."])
    left = words - 0.5 * avoided
    best = archive.store.search(left / np.linalg.norm(left), 1)[0][0]
    assert result.cases[0].similarity == pytest.approx(best.similarity, abs=1e-5)
    assert not list(retriever.cache.root.rglob("*.png"))


def test_a_vision_only_archive_draws_what_is_not_looked_for(
    archive: Archive,
    vision_encoder: TimmEncoder,
    patches: list[RgbImage],
    generator: DiffusersGenerator,
    cache: PrototypeCache,
) -> None:
    rows = vision_encoder.encode(patches)
    store = store_of(archive.root / "vision", np.arange(len(patches)), rows)
    manifest = archive.manifest.model_copy(update={"encoder": vision_encoder.spec})
    other = Archive(archive.root, manifest, store, archive.catalog)
    retriever = Retriever(other, vision_encoder, generator, cache, FusionSettings())
    result = retriever.search(Query(k=1, unlike="Clue cells.", prototypes=2), patches[3])
    assert result.prototypes == (), "what is avoided stands for nothing"
    assert len(list(cache.root.rglob("*.png"))) == 2


def test_what_is_looked_for_cannot_be_excluded(
    archive: Archive, encoder: OpenClipEncoder, cache: PrototypeCache
) -> None:
    retriever = Retriever(archive, encoder, None, cache, FusionSettings(unlike_weight=1))
    with pytest.raises(InputError, match="the same"):
        retriever.search(_with(TEXT, unlike=REPORT))


def test_a_picture_and_a_report_are_searched_together(
    retriever: Retriever, archive: Archive, encoder: OpenClipEncoder, patches: list[RgbImage]
) -> None:
    result = retriever.search(TEXT, patches[5])
    assert result.mode is SearchMode.TEXT
    both = encoder.encode_text([REPORT]) + encoder.encode([patches[5]])
    best = archive.store.search(both / np.linalg.norm(both), 1)[0][0]
    assert result.cases[0].similarity == pytest.approx(best.similarity, abs=1e-5)


def test_a_picture_with_a_report_and_no_mode_takes_the_reports_best(
    retriever: Retriever, patches: list[RgbImage]
) -> None:
    result = retriever.search(Query(report=REPORT, prototypes=1, k=1), patches[5])
    assert result.mode is SearchMode.FUSED
    assert len(result.prototypes) == 1


@pytest.mark.parametrize("method", ["rrf", "max"])
def test_a_maximum_and_rank_fusion_take_marks_and_pictures_too(
    archive: Archive,
    encoder: OpenClipEncoder,
    generator: DiffusersGenerator,
    cache: PrototypeCache,
    patches: list[RgbImage],
    method: str,
) -> None:
    fusion = FusionSettings.model_validate({"method": method, "whitening": 0.3})
    retriever = Retriever(archive, encoder, generator, cache, fusion)
    query = Query(report=REPORT, liked=("C2",), disliked=("C3",), unlike="Clue cells.")
    result = retriever.search(_with(query, prototypes=2, k=6), patches[1])
    assert "C2" in [case.case.case_id for case in result.own]
    assert len(result.cases) + len(result.own) == 6


def test_a_calibrated_archive_is_searched_as_calibrated(
    archive: Archive, encoder: OpenClipEncoder, generator: DiffusersGenerator, cache: PrototypeCache
) -> None:
    retriever = Retriever(calibrated(archive, generator), encoder, generator, cache)
    assert retriever.planner.modes == (SearchMode.TEXT, SearchMode.FUSED, SearchMode.PROTOTYPE)
    assert retriever.planner.fusion.text_weight == 0.3
    assert retriever.search(Query(report=REPORT, k=1)).mode is SearchMode.TEXT
    assert len(retriever.search(Query(report=REPORT, mode=SearchMode.FUSED, k=1)).prototypes) == 2
    assert retriever.plan(TEXT).notices == ()


def test_a_query_says_what_the_calibration_says_of_it(
    archive: Archive, encoder: OpenClipEncoder, generator: DiffusersGenerator, cache: PrototypeCache
) -> None:
    retriever = Retriever(calibrated(archive, generator), encoder, generator, cache)
    closeness = retriever.search(TEXT).closeness
    assert closeness.close is False
    assert closeness.limit is not None
    assert closeness.limit.false_alarm_rate == 0.05
    marked = retriever.search(_with(TEXT, liked=("C1",))).closeness
    assert marked.close is None, "nobody measured what such scores mean"
    earlier = calibrated(archive, generator, known="of an earlier program")
    limit = Retriever(earlier, encoder, generator, cache).search(TEXT).closeness.limit
    assert limit is not None
    assert limit.threshold < 9, "scores were others then"


def test_a_calibration_with_another_generator_is_told_and_not_used(
    archive: Archive, encoder: OpenClipEncoder, generator: DiffusersGenerator, cache: PrototypeCache
) -> None:
    stale = calibrated(archive, generator, generator="f" * 64)
    retriever = Retriever(stale, encoder, generator, cache)
    result = retriever.search(Query(report=REPORT, k=1, prototypes=1))
    assert result.mode is SearchMode.FUSED
    assert retriever.planner.fusion == FusionSettings()
    (notice,) = result.notices
    assert "another generator (tiny)" in notice
    assert "should be calibrated again" in notice
    assert result.closeness.limit is not None
    assert result.closeness.limit.threshold == 9, "what a report says is judged whatever draws"


def test_without_a_generator_what_was_found_out_about_texts_holds(
    archive: Archive, encoder: OpenClipEncoder, generator: DiffusersGenerator, cache: PrototypeCache
) -> None:
    retriever = Retriever(calibrated(archive, generator, generator="f" * 64), encoder, None, cache)
    result = retriever.search(Query(report=REPORT, k=1))
    assert (result.mode, result.notices) == (SearchMode.TEXT, ())


def test_an_archive_that_has_changed_says_on_how_many_images_it_was_calibrated(
    archive: Archive, encoder: OpenClipEncoder, generator: DiffusersGenerator, cache: PrototypeCache
) -> None:
    grown = calibrated(archive, generator, images=9)
    result = Retriever(grown, encoder, generator, cache).search(Query(report=REPORT, k=1))
    assert result.mode is SearchMode.TEXT, "it is used nevertheless"
    assert "9 images and now holds 12" in result.notices[0]


def test_a_fusion_that_is_named_wins_over_the_calibration(
    archive: Archive, encoder: OpenClipEncoder, generator: DiffusersGenerator, cache: PrototypeCache
) -> None:
    named = FusionSettings(text_weight=0.5)
    retriever = Retriever(calibrated(archive, generator), encoder, generator, cache, named)
    assert retriever.planner.fusion == named
    assert retriever.planner.modes[0] is SearchMode.FUSED


def test_a_generators_identity_is_what_shapes_its_pictures(
    tiny_pipeline_dir: Path, generator: DiffusersGenerator, cache: PrototypeCache
) -> None:
    from coin_retrieval.config import DiffusersGeneratorSettings

    def identity(**changes: object) -> str:
        settings = DiffusersGeneratorSettings.model_validate(
            {
                "model": str(tiny_pipeline_dir),
                "text_encoder": "minilm",
                "device": "cpu",
                "dtype": "float32",
            }
            | changes
        )
        return PrototypeDrawer(DiffusersGenerator(settings), cache).identity

    assert identity() == PrototypeDrawer(generator, cache).identity
    assert identity(steps=3) != identity()
    assert identity(batch_size=2) == identity()
