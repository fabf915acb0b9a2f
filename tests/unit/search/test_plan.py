from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from unit.search.test_retriever import REPORT, CountingGenerator

from coin_retrieval.archive import Archive
from coin_retrieval.config import FusionSettings
from coin_retrieval.encoding.open_clip.encoder import OpenClipEncoder
from coin_retrieval.errors import CacheError, GenerationError, InputError
from coin_retrieval.generation.diffusers import DiffusersGenerator
from coin_retrieval.presenting.summary import summary_of
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.testing.noise_prototyper import NoisePrototyper
from coin_retrieval.types import Provenance, RgbImage, SearchMode


class BlankGenerator(CountingGenerator):
    """As a half-precision pipeline that overflows: every picture is black."""

    def _draw(self, plans: Sequence[Provenance], on_step: Callable[[int], None]) -> list[RgbImage]:
        return [np.zeros_like(image) for image in super()._draw(plans, on_step)]


@pytest.fixture
def counting(generator: DiffusersGenerator) -> CountingGenerator:
    return CountingGenerator(generator)


@pytest.fixture
def retriever(
    archive: Archive, encoder: OpenClipEncoder, counting: CountingGenerator, tmp_path: Path
) -> Retriever:
    return Retriever(archive, encoder, counting, PrototypeCache(tmp_path), FusionSettings())


@pytest.fixture
def blank(
    archive: Archive, encoder: OpenClipEncoder, generator: DiffusersGenerator, tmp_path: Path
) -> Retriever:
    cache = PrototypeCache(tmp_path)
    return Retriever(archive, encoder, BlankGenerator(generator), cache, FusionSettings())


def test_planning_draws_nothing(retriever: Retriever, counting: CountingGenerator) -> None:
    plan = retriever.plan(Query(report=REPORT, prototypes=3, seed=7))
    assert [picture.seed for picture in plan.drawings] == [7, 8, 9]
    assert counting.seeds == []
    assert list(retriever.cache) == []


def test_what_is_planned_is_what_is_run(retriever: Retriever) -> None:
    plan = retriever.plan(Query(report=REPORT, prototypes=2))
    result = retriever.run(plan)
    assert result.plan is plan
    assert tuple(p.provenance.digest for p in result.prototypes) == plan.public().prototypes


def test_a_plan_that_was_run_must_draw_nothing_more(retriever: Retriever) -> None:
    plan = retriever.plan(Query(report=REPORT, prototypes=2))
    assert retriever.must_draw(plan)
    retriever.run(plan)
    assert not retriever.must_draw(plan)


def test_a_plan_made_public_holds_no_word(retriever: Retriever) -> None:
    query = Query(
        report="Koilocytes of Mrs Jones",
        unlike="clue cells",
        where={"site": ["cervix"]},
        mode=SearchMode.FUSED,
    )
    public = json.dumps(retriever.plan(query).public().model_dump(mode="json"))
    for word in ("Koilocytes", "Jones", "clue", "cervix"):
        assert word not in public


def test_the_same_question_has_the_same_plan_and_another_seed_another(
    retriever: Retriever,
) -> None:
    first, again, other = (
        retriever.plan(Query(report=REPORT, seed=seed)).public().digest for seed in (0, 0, 1)
    )
    assert first == again != other


def test_a_picture_is_named_by_its_pixels(retriever: Retriever, patches: list[RgbImage]) -> None:
    plans = [retriever.plan(Query(), patch).public() for patch in (patches[0], patches[1])]
    assert plans[0].image is not None
    assert plans[0].image != plans[1].image
    assert plans[0].report is None


def test_a_plan_of_another_encoder_is_refused(
    retriever: Retriever, counting: CountingGenerator
) -> None:
    plan = retriever.plan(Query(report=REPORT))
    foreign = replace(plan, encoder=replace(plan.encoder, weights="0" * 64))
    with pytest.raises(InputError, match="plan is of another encoder"):
        retriever.run(foreign)
    assert counting.seeds == []


def test_a_plan_of_another_archive_is_refused(
    retriever: Retriever, counting: CountingGenerator
) -> None:
    plan = retriever.plan(Query(report=REPORT))
    foreign = replace(plan, archive=replace(plan.archive, digest="0" * 64))
    with pytest.raises(InputError, match="plan is of another archive"):
        retriever.run(foreign)
    assert counting.seeds == []


def test_a_plan_of_another_generator_is_refused(
    retriever: Retriever, counting: CountingGenerator
) -> None:
    plan = retriever.plan(Query(report=REPORT))
    assert plan.words is not None
    assert plan.words.drawing is not None
    drawing = replace(plan.words.drawing, identity="0" * 64)
    foreign = replace(plan, words=replace(plan.words, drawing=drawing))
    with pytest.raises(InputError, match="plan is of another generator"):
        retriever.run(foreign)
    assert counting.seeds == []


def test_a_listener_that_fails_is_told_and_nothing_is_drawn(
    retriever: Retriever, counting: CountingGenerator
) -> None:
    def fails(stage: str, done: int, of: int) -> None:
        raise RuntimeError("no bar")

    with pytest.raises(InputError, match="no bar"):
        retriever.search(Query(report=REPORT), on=fails)
    assert counting.seeds == []


def test_a_listener_hears_drawing_and_searching_to_their_ends(retriever: Retriever) -> None:
    heard: list[tuple[str, int, int]] = []
    retriever.search(Query(report=REPORT, prototypes=1), on=lambda *step: heard.append(step))
    last = {stage: (done, of) for stage, done, of in heard}
    assert {"drawing", "searching"} <= last.keys()
    assert all(done == of for done, of in last.values())


def test_what_cannot_be_drawn_is_searched_by_its_text_and_told(blank: Retriever) -> None:
    result = blank.search(Query(report=REPORT, mode=SearchMode.FUSED, k=6))
    by_text = blank.search(Query(report=REPORT, mode=SearchMode.TEXT, k=6))
    assert result.mode is SearchMode.TEXT
    assert result.prototypes == ()
    assert "nothing could be drawn" in result.notices[0]
    assert [c.case.case_id for c in result.cases] == [c.case.case_id for c in by_text.cases]


def test_where_nothing_can_be_kept_nothing_is_drawn_and_the_text_is_searched(
    archive: Archive, encoder: OpenClipEncoder, counting: CountingGenerator, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("no folder can be made below a file")
    cache = PrototypeCache(tmp_path / "file" / "cache")
    retriever = Retriever(archive, encoder, counting, cache, FusionSettings())
    result = retriever.search(Query(report=REPORT))
    assert result.mode is SearchMode.TEXT
    assert "cache cannot be written" in result.notices[0]
    assert result.cases
    assert counting.seeds == []
    with pytest.raises(CacheError, match="COIN_CACHE_DIR"):
        retriever.search(Query(report=REPORT, mode=SearchMode.PROTOTYPE))


def test_what_was_drawn_before_is_searched_with_though_nothing_more_can_be_kept(
    retriever: Retriever, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = retriever.draw(REPORT)
    # a disk that fills up between the drawing and the embedding
    monkeypatch.setattr("coin_retrieval.prototypes.cache.replace_file", _full)
    result = retriever.search(Query(report=REPORT))
    assert result.mode is SearchMode.FUSED
    assert result.prototypes == drawn.prototypes


def _full(*_args: object, **_named: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_cannot_be_drawn_is_an_error_where_only_drawings_search(blank: Retriever) -> None:
    with pytest.raises(GenerationError):
        blank.search(Query(report=REPORT, mode=SearchMode.PROTOTYPE))


@pytest.mark.parametrize("mode", [SearchMode.FUSED, SearchMode.PROTOTYPE])
def test_what_the_generator_never_learned_is_searched_by_its_text_in_every_mode(
    archive: Archive, encoder: OpenClipEncoder, tmp_path: Path, mode: SearchMode
) -> None:
    noise = NoisePrototyper()
    retriever = Retriever(archive, encoder, noise, PrototypeCache(tmp_path), FusionSettings())
    result = retriever.search(Query(report="unknown", mode=mode, k=6))
    by_text = retriever.search(Query(report="unknown", mode=SearchMode.TEXT, k=6))
    assert (result.mode, result.prototypes, noise.drawn) == (SearchMode.TEXT, (), [])
    assert "never learned to draw" in result.notices[0]
    assert [c.case.case_id for c in result.cases] == [c.case.case_id for c in by_text.cases]


def test_a_report_is_told_as_it_was_read(retriever: Retriever) -> None:
    plan = retriever.plan(Query(report="(cervix)  LSIL,\n koilocytes", mode=SearchMode.TEXT))
    assert plan.words is not None
    assert plan.words.report.text == "(cervix) LSIL, koilocytes"
    assert plan.words.report.site == "cervix"


def test_of_a_report_of_several_specimens_one_is_searched_and_told(retriever: Retriever) -> None:
    report = "A. Urine: dark angular nuclei. B. Cervical smear: koilocytes, LSIL."
    plan = retriever.plan(Query(report=report))
    assert (plan.specimens, plan.specimen) == (("A", "B"), "A")
    assert plan.words is not None
    assert "koilocytes" not in plan.words.searched
    assert plan.public().specimen == 1
    other = retriever.plan(Query(report=report, specimen="b"))
    assert other.words is not None
    assert "koilocytes" in other.words.searched
    assert "angular" not in other.words.searched
    together = retriever.plan(Query(report=report, specimen="all"))
    assert together.words is not None
    assert together.specimen == ""
    assert "koilocytes" in together.words.searched
    assert "angular" in together.words.searched
    result = retriever.run(plan)
    told = [sentence.text for sentence in summary_of(result)]
    assert "The report is of 2 specimens (A, B). Searched: A. Search B by itself." in told


def test_a_specimen_that_the_report_lacks_is_refused(retriever: Retriever) -> None:
    with pytest.raises(InputError, match="no such specimen"):
        retriever.plan(Query(report="Koilocytes", specimen="B"))
