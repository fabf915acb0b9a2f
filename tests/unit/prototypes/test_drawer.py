from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from coin_retrieval.errors import GenerationError, InputError, ReportError, UndrawableError
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.prototypes.drawer import PrototypeDrawer
from coin_retrieval.prototypes.sets import draw_set
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.testing.noise_prototyper import NoisePrototyper
from coin_retrieval.timing import Stopwatch
from coin_retrieval.types import Provenance, ReportSource, RgbImage, Source

PATIENCE_S = 60


class StoppedError(Exception):
    """What a listener raises to stop a drawing."""


class Gated(NoisePrototyper):
    """Noise whose drawing can be held up; ``planned`` counts what was planned."""

    def __init__(self) -> None:
        super().__init__()
        self.drawing, self.open = Event(), Event()
        self.planned = 0

    def _plan(self, source: Source) -> Provenance:
        self.planned += 1
        return super()._plan(source)

    def _draw(self, plans: Sequence[Provenance], on_step: Callable[[int], None]) -> list[RgbImage]:
        self.drawing.set()
        assert self.open.wait(PATIENCE_S)
        return super()._draw(plans, on_step)


@pytest.fixture
def noise() -> NoisePrototyper:
    return NoisePrototyper()


@pytest.fixture
def drawer(noise: NoisePrototyper, tmp_path: Path) -> PrototypeDrawer:
    return PrototypeDrawer(noise, PrototypeCache(tmp_path / "prototypes"))


def files_of(drawn_in: Path) -> list[Path]:
    return [path for path in drawn_in.rglob("*") if path.is_file()]


def test_misspelt_words_are_drawn_as_they_are_meant_and_told(drawer: PrototypeDrawer) -> None:
    drawing = drawer.draw("Coarse chromatn", n=1)
    assert drawing.report == "Coarse chromatin"
    assert [one.written for one in drawing.language.corrections] == ["chromatn"]


def test_only_missing_pictures_are_drawn_and_the_order_is_kept(
    drawer: PrototypeDrawer, noise: NoisePrototyper
) -> None:
    drawer.draw_planned(drawer.plan("cells", n=1, seed=1), Stopwatch())
    plans = drawer.plan("cells", n=4, seed=0)
    found = drawer.draw_planned(plans, Stopwatch())
    assert noise.drawn == [1, 0, 2, 3]
    assert [prototype.provenance for prototype in found] == list(plans)
    assert [prototype.provenance for prototype in found] == list(plans)


def test_what_is_kept_is_not_drawn_again(drawer: PrototypeDrawer, noise: NoisePrototyper) -> None:
    plans = drawer.plan("cells", n=2)
    first = drawer.draw_planned(plans, Stopwatch())
    assert drawer.draw_planned(plans, Stopwatch()) == first
    assert noise.drawn == [0, 1]


def test_a_plan_that_comes_twice_is_drawn_once(
    drawer: PrototypeDrawer, noise: NoisePrototyper
) -> None:
    (plan,) = drawer.plan("cells", n=1)
    first, second = drawer.draw_planned([plan, plan], Stopwatch())
    assert first == second
    assert noise.drawn == [0]


def test_a_look_into_the_cache_draws_nothing(
    drawer: PrototypeDrawer, noise: NoisePrototyper
) -> None:
    (kept,) = drawer.draw_planned(drawer.plan("cells", n=1, seed=1), Stopwatch())
    noise.drawn.clear()
    assert drawer.cached(drawer.plan("cells", n=3)) == [None, kept, None]
    assert noise.drawn == []


def test_a_text_is_planned_as_the_report_that_it_is(drawer: PrototypeDrawer) -> None:
    assert drawer.plan("cells", n=2, seed=3) == drawer.plan(ReportSource("cells"), n=2, seed=3)


def test_a_report_is_read_before_it_is_drawn(drawer: PrototypeDrawer) -> None:
    drawing = drawer.draw("  Koilocytes.\n LSIL. ", n=2)
    assert drawing.report == "Koilocytes. LSIL."
    assert [p.provenance.source for p in drawing.prototypes] == 2 * [ReportSource(drawing.report)]
    with pytest.raises(ReportError):
        drawer.draw(" ")


def test_the_listener_hears_every_step_and_no_word_of_the_report(drawer: PrototypeDrawer) -> None:
    told: list[tuple[str, int, int]] = []

    def listen(stage: str, done: int, of: int) -> None:
        told.append((stage, done, of))

    drawer.draw("secret", n=3, on=listen)
    assert told == [("drawing", step, 8) for step in range(9)]
    told.clear()
    drawer.draw("secret", n=3, on=listen)
    assert told == []


def test_a_listener_that_raises_leaves_what_was_drawn_and_the_next_one_draws_the_rest(
    drawer: PrototypeDrawer, noise: NoisePrototyper
) -> None:
    told: list[int] = []

    def stop(stage: str, done: int, of: int) -> None:
        told.append(done)
        if done == 5:
            raise StoppedError

    with pytest.raises(StoppedError):
        drawer.draw("cells", n=4, on=stop)
    assert told == [0, 1, 2, 3, 4, 5]
    kept = drawer.cached(drawer.plan("cells", n=4))
    assert [here is not None for here in kept] == [True, True, False, False]
    assert len(drawer.draw("cells", n=4).prototypes) == 4
    assert len(noise.drawn) == 4


def test_a_blank_picture_is_refused_and_not_kept(drawer: PrototypeDrawer) -> None:
    plans = (*drawer.plan("cells", n=1), *drawer.plan("blank", n=1))
    with pytest.raises(GenerationError, match="blank"):
        drawer.draw_planned(plans, Stopwatch())
    assert [here is not None for here in drawer.cached(plans)] == [True, False]


def test_each_picture_is_kept_before_the_listener_hears_that_it_is_drawn(
    drawer: PrototypeDrawer, noise: NoisePrototyper
) -> None:
    noise.batch_size = 1
    plans = drawer.plan("cells", n=3)
    here: list[int] = []

    def look(stage: str, done: int, of: int) -> None:
        here.append(sum(one is not None for one in drawer.cached(plans)))

    drawer.draw_planned(plans, Stopwatch(), on=look)
    assert sorted(set(here)) == [0, 1, 2, 3]


def test_nothing_is_drawn_of_what_the_prototyper_never_learned(
    drawer: PrototypeDrawer, noise: NoisePrototyper
) -> None:
    plans = (*drawer.plan("cells", n=2), *drawer.plan("unknown", n=1))
    with pytest.raises(UndrawableError, match="never learned"):
        drawer.draw_planned(plans, Stopwatch())
    assert noise.drawn == []


def test_a_set_leaves_out_what_the_prototyper_never_learned(
    drawer: PrototypeDrawer, tmp_path: Path
) -> None:
    cases = [
        CaseRow(Path(), f"C{i}", finding=report, report=report)
        for i, report in enumerate(("cells", "unknown", "more cells"))
    ]
    drawn = draw_set(drawer, cases, tmp_path, n=2, seed=0)
    assert (drawn.reports, drawn.undrawable) == (3, 1)
    assert drawn.by_finding == {"cells": 2, "more cells": 2}


def test_what_another_prototyper_planned_is_refused(
    drawer: PrototypeDrawer, noise: NoisePrototyper
) -> None:
    foreign = NoisePrototyper("other").plan(ReportSource("cells"), n=1)
    with pytest.raises(InputError, match="plan it again"):
        drawer.draw_planned(foreign, Stopwatch())
    assert noise.drawn == []


def test_two_who_ask_at_once_get_the_same_pictures_drawn_once(tmp_path: Path) -> None:
    gated = Gated()
    drawer = PrototypeDrawer(gated, PrototypeCache(tmp_path))
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(drawer.draw, "cells", n=1)
        assert gated.drawing.wait(PATIENCE_S)
        second = pool.submit(drawer.draw, "cells", n=1)
        gated.open.set()
        assert second.result(PATIENCE_S).prototypes == first.result(PATIENCE_S).prototypes
    assert gated.drawn == [0]


def test_neither_planning_nor_what_is_kept_waits_for_a_drawing(tmp_path: Path) -> None:
    gated = Gated()
    drawer = PrototypeDrawer(gated, PrototypeCache(tmp_path))
    gated.open.set()
    kept = drawer.draw("kept", n=1)
    gated.open.clear()
    gated.drawing.clear()
    with ThreadPoolExecutor(2) as pool:
        waiting = pool.submit(drawer.draw, "cells", n=1)
        assert gated.drawing.wait(PATIENCE_S)
        assert pool.submit(drawer.plan, "never seen", n=1).result(PATIENCE_S)
        again = pool.submit(drawer.draw, "kept", n=1).result(PATIENCE_S)
        assert not waiting.done()
        gated.open.set()
        waiting.result(PATIENCE_S)
    assert again.prototypes == kept.prototypes


def test_a_report_that_is_asked_again_is_not_planned_again(tmp_path: Path) -> None:
    gated = Gated()
    drawer = PrototypeDrawer(gated, PrototypeCache(tmp_path))
    assert drawer.plan("cells") is drawer.plan("cells")
    assert gated.planned == 1
