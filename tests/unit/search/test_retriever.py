from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import numpy as np
import pytest
from PIL import Image
from tiny_archives import store_of

from coin_retrieval.archive import Archive
from coin_retrieval.config import FusionSettings
from coin_retrieval.encoding.open_clip.encoder import OpenClipEncoder
from coin_retrieval.encoding.timm.encoder import TimmEncoder
from coin_retrieval.errors import (
    EncoderMismatchError,
    FilterError,
    InputError,
    ReportError,
    UnsupportedError,
)
from coin_retrieval.generation.diffusers import DiffusersGenerator
from coin_retrieval.images.decoding import load_image
from coin_retrieval.limits import MAX_CASES, MAX_MARKS, MAX_PROTOTYPES
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.ranking.fusion import mean_direction
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.timing import STAGES
from coin_retrieval.types import (
    Provenance,
    RgbImage,
    SearchMode,
    Source,
)

REPORT = "Koilocytes with perinuclear halos."


class CountingGenerator(Prototyper):
    """The real generator, with the seeds it was asked to draw written down."""

    def __init__(self, inner: DiffusersGenerator) -> None:
        self.name, self.identity = inner.name, inner.identity
        self.batch_size = inner.batch_size
        self.inner = inner
        self.seeds: list[int] = []

    def _plan(self, source: Source) -> Provenance:
        return self.inner._plan(source)

    def _draw(self, plans: Sequence[Provenance], on_step: Callable[[int], None]) -> list[RgbImage]:
        self.seeds += [plan.seed for plan in plans]
        return self.inner._draw(plans, on_step)


@pytest.fixture
def counting(generator: DiffusersGenerator) -> CountingGenerator:
    return CountingGenerator(generator)


@pytest.fixture
def cache(tmp_path: Path) -> PrototypeCache:
    return PrototypeCache(tmp_path)


@pytest.fixture
def retriever(
    archive: Archive, encoder: OpenClipEncoder, counting: CountingGenerator, cache: PrototypeCache
) -> Retriever:
    return Retriever(archive, encoder, counting, cache, FusionSettings())


@pytest.fixture
def vision_only(
    archive: Archive,
    vision_encoder: TimmEncoder,
    patches: list[RgbImage],
    counting: CountingGenerator,
    cache: PrototypeCache,
) -> Retriever:
    """The same pictures under an encoder without a text tower."""
    rows = vision_encoder.encode(patches)
    store = store_of(archive.root / "vision", np.arange(len(patches)), rows)
    manifest = archive.manifest.model_copy(update={"encoder": vision_encoder.spec})
    other = Archive(archive.root, manifest, store, archive.catalog)
    return Retriever(other, vision_encoder, counting, cache, FusionSettings())


def similarities(result) -> list[float]:
    return [case.similarity for case in result.cases]


def test_an_archive_picture_finds_itself_first(
    retriever: Retriever, patches: list[RgbImage]
) -> None:
    result = retriever.search(Query(k=3), patches[5])
    assert result.mode is SearchMode.IMAGE
    assert result.cases[0].matches[0].image.image_id == 5
    assert result.cases[0].similarity == pytest.approx(1, abs=1e-4)
    assert (result.prototypes, result.report) == ((), "")


def test_text_mode_draws_nothing(retriever: Retriever, counting: CountingGenerator) -> None:
    result = retriever.search(Query(report=REPORT, mode=SearchMode.TEXT, k=3))
    assert len(result.cases) == 3
    assert counting.seeds == []
    assert result.prototypes == ()


def test_text_mode_searches_with_the_texts_own_embedding(
    retriever: Retriever, archive: Archive, encoder: OpenClipEncoder
) -> None:
    result = retriever.search(Query(report=REPORT, mode=SearchMode.TEXT, k=2))
    best = archive.store.search(encoder.encode_text([REPORT]), 1)[0][0]
    assert result.cases[0].similarity == pytest.approx(best.similarity, abs=1e-5)


def test_prototype_mode_searches_with_the_mean_of_the_drawn_pictures(
    retriever: Retriever, archive: Archive, encoder: OpenClipEncoder
) -> None:
    result = retriever.search(Query(report=REPORT, mode=SearchMode.PROTOTYPE, k=2, prototypes=3))
    drawn = encoder.encode([load_image(p.path) for p in result.prototypes])
    best = archive.store.search(mean_direction(drawn), 1)[0][0]
    assert result.cases[0].similarity == pytest.approx(best.similarity, abs=1e-5)


def test_fused_mode_lies_between_text_and_prototypes(
    archive: Archive, encoder: OpenClipEncoder, counting: CountingGenerator, cache: PrototypeCache
) -> None:
    def ask(mode: SearchMode, weight: float) -> list[float]:
        fusion = FusionSettings(text_weight=weight)
        retriever = Retriever(archive, encoder, counting, cache, fusion)
        return similarities(retriever.search(Query(report=REPORT, mode=mode, k=6)))

    np.testing.assert_allclose(ask(SearchMode.FUSED, 1.0), ask(SearchMode.TEXT, 0.5), atol=1e-5)
    np.testing.assert_allclose(
        ask(SearchMode.FUSED, 0.0), ask(SearchMode.PROTOTYPE, 0.5), atol=1e-5
    )
    assert ask(SearchMode.FUSED, 0.5) != pytest.approx(ask(SearchMode.TEXT, 0.5), abs=1e-4)


def test_without_a_mode_a_report_is_searched_by_both(retriever: Retriever) -> None:
    assert retriever.search(Query(report=REPORT, k=1, prototypes=1)).mode is SearchMode.FUSED
    assert retriever.planner.modes == (SearchMode.FUSED, SearchMode.PROTOTYPE, SearchMode.TEXT)


def test_a_vision_only_archive_is_searched_by_prototypes(vision_only: Retriever) -> None:
    result = vision_only.search(Query(report=REPORT, k=2, prototypes=2))
    assert result.mode is SearchMode.PROTOTYPE
    assert len(result.cases) == 2


@pytest.mark.parametrize("mode", [SearchMode.TEXT, SearchMode.FUSED])
def test_a_vision_only_encoder_reads_no_text_and_says_what_does(
    vision_only: Retriever, mode: SearchMode
) -> None:
    with pytest.raises(UnsupportedError, match="prototypes make this archive searchable"):
        vision_only.search(Query(report=REPORT, mode=mode))


def test_without_a_generator_text_is_left(
    archive: Archive, encoder: OpenClipEncoder, cache: PrototypeCache
) -> None:
    retriever = Retriever(archive, encoder, None, cache, FusionSettings())
    assert retriever.search(Query(report=REPORT, k=1)).mode is SearchMode.TEXT
    with pytest.raises(UnsupportedError, match="generator"):
        retriever.search(Query(report=REPORT, mode=SearchMode.FUSED))
    with pytest.raises(UnsupportedError, match="generator"):
        retriever.draw(REPORT)


def test_another_encoder_than_the_archives_is_refused(
    vision_only: Retriever, encoder: OpenClipEncoder, cache: PrototypeCache
) -> None:
    with pytest.raises(EncoderMismatchError):
        Retriever(vision_only.archive, encoder, None, cache, FusionSettings())


def test_the_same_report_and_seed_draw_once(
    retriever: Retriever, counting: CountingGenerator
) -> None:
    first = retriever.search(Query(report=REPORT, prototypes=2, seed=5))
    second = retriever.search(Query(report=REPORT, prototypes=2, seed=5))
    assert counting.seeds == [5, 6]
    assert first.prototypes == second.prototypes
    assert first.cases == second.cases


def test_only_the_seeds_that_lack_are_drawn(
    retriever: Retriever, counting: CountingGenerator
) -> None:
    retriever.draw(REPORT, n=1, seed=2)
    drawing = retriever.draw(REPORT, n=5, seed=0)
    assert counting.seeds == [2, 0, 1, 3, 4]
    assert [p.provenance.seed for p in drawing.prototypes] == [0, 1, 2, 3, 4]


def test_a_picture_drawn_alone_and_in_company_has_its_own_seed(
    retriever: Retriever, tmp_path: Path, archive: Archive, encoder, counting
) -> None:
    together = retriever.draw(REPORT, n=2, seed=0).prototypes[1]
    elsewhere = PrototypeCache(tmp_path / "other")
    alone = Retriever(archive, encoder, counting, elsewhere, FusionSettings()).draw(
        REPORT, n=1, seed=1
    )
    difference = load_image(together.path).astype(int) - load_image(alone.prototypes[0].path)
    assert np.abs(difference).max() <= 2


def test_callers_side_by_side_draw_each_prototype_once(
    retriever: Retriever, counting: CountingGenerator
) -> None:
    start = Barrier(4)

    def ask(_: int) -> list[float]:
        start.wait()
        return similarities(retriever.search(Query(report=REPORT, prototypes=2, k=6)))

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(ask, range(4)))
    assert sorted(counting.seeds) == [0, 1]
    assert all(answer == answers[0] for answer in answers)


def test_a_search_with_cached_prototypes_does_not_wait_for_a_drawing(
    archive: Archive, encoder: OpenClipEncoder, counting: CountingGenerator, cache: PrototypeCache
) -> None:
    drawing, release = Event(), Event()

    class Slow(CountingGenerator):
        def _draw(
            self, plans: Sequence[Provenance], on_step: Callable[[int], None]
        ) -> list[RgbImage]:
            drawing.set()
            assert release.wait(60)
            return super()._draw(plans, on_step)

    slow = Slow(counting.inner)
    retriever = Retriever(archive, encoder, slow, cache, FusionSettings())
    release.set()
    known = retriever.search(Query(report=REPORT, prototypes=1))
    release.clear()
    drawing.clear()
    with ThreadPoolExecutor(2) as pool:
        new = pool.submit(retriever.search, Query(report="Atypical cells in urine.", prototypes=1))
        assert drawing.wait(60)
        again = pool.submit(retriever.search, Query(report=REPORT, prototypes=1)).result(60)
        assert not new.done()
        release.set()
        assert new.result(60).cases
    assert again.cases == known.cases


def test_rank_fusion_finds_the_same_number_of_cases(
    archive: Archive, encoder: OpenClipEncoder, counting: CountingGenerator, cache: PrototypeCache
) -> None:
    retriever = Retriever(archive, encoder, counting, cache, FusionSettings(method="rrf"))
    result = retriever.search(Query(report=REPORT, k=4, prototypes=2))
    assert len(result.cases) == 4


def test_a_filter_leaves_only_what_fits(retriever: Retriever) -> None:
    result = retriever.search(
        Query(report=REPORT, mode=SearchMode.TEXT, where={"site": ["Cervix", "urine"]})
    )
    assert {case.case.site for case in result.cases} == {"cervix", "urine"}
    assert len(result.cases) == 4


def test_a_filter_that_cannot_be_used_is_told_before_anything_is_drawn(
    retriever: Retriever, counting: CountingGenerator
) -> None:
    with pytest.raises(FilterError):
        retriever.search(Query(report=REPORT, where={"colour": ["blue"]}))
    assert counting.seeds == []


def test_every_stage_is_timed_within_the_total(retriever: Retriever) -> None:
    timings = retriever.search(Query(report=REPORT, prototypes=1)).timings_ms
    assert tuple(timings) == STAGES
    assert all(ms > 0 for ms in timings.values())
    assert sum(ms for stage, ms in timings.items() if stage != "total") <= timings["total"]


def test_a_short_report_is_read_whole(retriever: Retriever) -> None:
    assert retriever.search(Query(report=REPORT, prototypes=1)).dropped_text == ""


def test_the_end_of_a_report_that_no_model_reads_is_told(retriever: Retriever) -> None:
    long = f"{REPORT} " + "Cells in sheets and clusters. " * 400 + "The very last words."
    for mode in (SearchMode.TEXT, SearchMode.PROTOTYPE, SearchMode.FUSED):
        dropped = retriever.search(
            Query(report=long, as_written=True, mode=mode, prototypes=1)
        ).dropped_text
        assert dropped.endswith("The very last words.")
        assert len(dropped) < len(long)


def test_the_conclusion_of_a_report_that_no_model_reads_whole_is_read_first(
    retriever: Retriever,
) -> None:
    long = "Cells in sheets and clusters. " * 400 + "Conclusion: koilocytes."
    for mode in (SearchMode.TEXT, SearchMode.PROTOTYPE, SearchMode.FUSED):
        words = retriever.plan(Query(report=long, mode=mode, prototypes=1)).words
        assert words
        assert words.searched.startswith("koilocytes. Cells in sheets")
        assert words.unread
        for part in words.unread:
            assert words.report.text[part.start : part.end] == part.text
            assert "koilocytes" not in part.text


def test_the_whole_tidied_report_is_the_prompt(retriever: Retriever) -> None:
    drawing = retriever.draw("  (Cervix)  Koilocytes.\n LSIL. ", n=1)
    assert drawing.report == "(Cervix) Koilocytes. LSIL."
    assert drawing.prototypes[0].provenance.source.text == drawing.report


def test_a_prototypes_file_says_that_it_is_synthetic(retriever: Retriever) -> None:
    (prototype,) = retriever.draw(REPORT, n=1).prototypes
    with Image.open(prototype.path) as image:
        assert image.info["synthetic"] == "true"


PICTURE = np.zeros((8, 8, 3), np.uint8)


@pytest.mark.parametrize(
    "fields",
    [
        {"k": 0},
        {"k": MAX_CASES + 1},
        {"prototypes": 0},
        {"prototypes": MAX_PROTOTYPES + 1},
        {"diversity": 1.1},
        {"diversity": float("nan")},
        {"width": 0.5},
        {"liked": [f"C{i}" for i in range(MAX_MARKS + 1)]},
        {"colour": "blue"},
        {"mode": "best"},
        {"report": 3},
    ],
)
def test_a_field_out_of_range_is_refused_and_named(fields: dict[str, object]) -> None:
    with pytest.raises(InputError, match=next(iter(fields))):
        Query.of(**({"report": REPORT} | fields))


def test_a_refused_query_does_not_quote_its_report() -> None:
    with pytest.raises(InputError) as refused:
        Query.of(report=["Mrs Jones"])
    assert "Jones" not in str(refused.value)


@pytest.mark.parametrize(
    ("query", "image"),
    [
        (Query(report=REPORT, mode=SearchMode.IMAGE), None),
        (Query(report=REPORT, mode=SearchMode.IMAGE), PICTURE),
        (Query(report=REPORT, liked=("C1",), disliked=("C1",)), None),
        (Query(mode=SearchMode.IMAGE), None),
        (Query(mode=SearchMode.TEXT), PICTURE),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(
    retriever: Retriever, query: Query, image: RgbImage | None
) -> None:
    with pytest.raises(InputError):
        retriever.plan(query, image)


@pytest.mark.parametrize("report", ["", "x" * 20_001, "\x00\x01"])
def test_what_is_no_report_is_refused(retriever: Retriever, report: str) -> None:
    with pytest.raises(ReportError):
        retriever.search(Query(report=report))
