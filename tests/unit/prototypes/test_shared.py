"""One model for many callers, drawn for by a real prototyper that can be held up."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import pytest

from coin_retrieval.errors import GenerationError, OutOfMemoryError, UndrawableError
from coin_retrieval.progress import Progress, silent
from coin_retrieval.prototypes.shared import SharedPrototyper, drawing_for
from coin_retrieval.testing.noise_prototyper import NoisePrototyper
from coin_retrieval.types import Provenance, ReportSource, RgbImage, Sample

PATIENCE_S = 20


class Held(NoisePrototyper):
    """Noise; each batch waits until it is let go, and remembers what it drew together."""

    def __init__(self) -> None:
        super().__init__()
        self.batches: list[list[tuple[str, int]]] = []
        self.room = 64
        self.open = threading.Event()
        self.drawing = threading.Event()

    def _draw(self, plans: Sequence[Provenance], on_step: Callable[[int], None]) -> list[RgbImage]:
        self.drawing.set()
        if len(plans) > self.room:
            raise OutOfMemoryError("no room", value=len(plans))
        while not self.open.wait(0.01):
            on_step(1)
        self.batches.append([(plan.source.text, plan.seed) for plan in plans])
        return super()._draw(plans, on_step)


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
def shared(held: Held) -> Iterator[SharedPrototyper]:
    yield SharedPrototyper(held, batch_size=8)
    held.open.set()


@pytest.fixture
def callers(held: Held) -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as pool:
        yield pool
        held.open.set()


class LeaveError(Exception):
    """What a listener raises whose client has left."""


class Leaving:
    """A listener whose client leaves when it is told to."""

    def __init__(self) -> None:
        self.gone = threading.Event()

    def __call__(self, _stage: str, _done: int, _of: int) -> None:
        if self.gone.is_set():
            raise LeaveError


def ask(
    callers: ThreadPoolExecutor,
    shared: SharedPrototyper,
    text: str,
    *,
    n: int = 2,
    seed: int = 0,
    caller: str = "",
    on: Progress = silent,
) -> Future[list[Sample]]:
    def draw() -> list[Sample]:
        with drawing_for(caller):
            return shared.draw(shared.plan(ReportSource(text), n=n, seed=seed), on=on)

    return callers.submit(draw)


@pytest.fixture
def first(
    held: Held, shared: SharedPrototyper, callers: ThreadPoolExecutor
) -> Future[list[Sample]]:
    """A report that is being drawn, and holds the others up."""
    asked = ask(callers, shared, "first")
    assert held.drawing.wait(PATIENCE_S)
    return asked


def until(fact: Callable[[], bool]) -> None:
    waiting = threading.Event()
    for _ in range(PATIENCE_S * 200):
        if fact():
            return
        waiting.wait(0.005)
    raise AssertionError("it did not come to pass")


def test_it_draws_what_the_model_draws_alone(held: Held, shared: SharedPrototyper) -> None:
    held.open.set()
    plans = shared.plan(ReportSource("cells"), n=5)
    alone = NoisePrototyper().draw(plans)
    for one, other in zip(shared.draw(plans), alone, strict=True):
        assert one.provenance == other.provenance
        np.testing.assert_array_equal(one.image, other.image)


def test_callers_that_come_while_it_draws_are_drawn_for_together(
    held: Held,
    shared: SharedPrototyper,
    callers: ThreadPoolExecutor,
    first: Future[list[Sample]],
) -> None:
    rest = [ask(callers, shared, f"report {n}") for n in range(4)]
    until(lambda: shared.waiting == 4)
    held.open.set()
    assert len(first.result(PATIENCE_S)) == 2
    for number, answer in enumerate(rest):
        samples = answer.result(PATIENCE_S)
        assert [s.provenance.source.text for s in samples] == [f"report {number}"] * 2
    assert [len(batch) for batch in held.batches] == [2, 8]


def test_each_picture_is_given_to_its_caller_as_its_batch_is_drawn(
    held: Held, shared: SharedPrototyper, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.open.set()
    shared.batch_size = held.batch_size = 2
    plans = shared.plan(ReportSource("cells"), n=5)
    given: list[Provenance] = []
    draw, some = held._draw, threading.Event()

    def after_the_first(
        plans: Sequence[Provenance], on_step: Callable[[int], None]
    ) -> list[RgbImage]:
        assert not held.batches or some.wait(PATIENCE_S)
        return draw(plans, on_step)

    def give(sample: Sample) -> None:
        given.append(sample.provenance)
        some.set()

    monkeypatch.setattr(held, "_draw", after_the_first)
    shared.draw(plans, drawn=give)
    assert given == list(plans)
    assert len(held.batches) == 3


def test_where_a_picture_takes_long_each_caller_gets_one_after_the_other(
    held: Held, shared: SharedPrototyper, callers: ThreadPoolExecutor
) -> None:
    shared.slow_s = 0.0
    first = ask(callers, shared, "first", n=1)
    assert held.drawing.wait(PATIENCE_S)
    rest = [ask(callers, shared, text, n=2, caller=text) for text in ("one", "other")]
    until(lambda: shared.waiting == 2)
    held.open.set()
    for answer in (first, *rest):
        answer.result(PATIENCE_S)
    assert held.batches[1:] == [[("one", seed), ("other", seed)] for seed in range(2)]


def test_what_two_ask_alike_is_drawn_once(
    held: Held, shared: SharedPrototyper, callers: ThreadPoolExecutor
) -> None:
    first = ask(callers, shared, "the same")
    assert held.drawing.wait(PATIENCE_S)
    others = [ask(callers, shared, "the same") for _ in range(3)]
    until(lambda: shared.waiting == 3)
    held.open.set()
    pictures = [answer.result(PATIENCE_S)[0].image for answer in (first, *others)]
    assert all((picture == pictures[0]).all() for picture in pictures)
    assert held.batches == [[("the same", 0), ("the same", 1)]]


def test_a_caller_that_leaves_is_dropped_and_the_others_are_served(
    held: Held,
    shared: SharedPrototyper,
    callers: ThreadPoolExecutor,
    first: Future[list[Sample]],
) -> None:
    leaves = Leaving()
    leaving = ask(callers, shared, "leaving", on=leaves)
    staying = ask(callers, shared, "staying")
    until(lambda: shared.waiting == 2)
    leaves.gone.set()
    with pytest.raises(LeaveError):
        leaving.result(PATIENCE_S)
    held.open.set()
    assert len(first.result(PATIENCE_S)) == len(staying.result(PATIENCE_S)) == 2
    assert ("leaving", 0) not in [one for batch in held.batches for one in batch]


def test_a_batch_stops_when_its_last_caller_has_left(
    held: Held, shared: SharedPrototyper, callers: ThreadPoolExecutor
) -> None:
    leaves = Leaving()
    leaving = ask(callers, shared, "leaving", on=leaves)
    assert held.drawing.wait(PATIENCE_S)
    leaves.gone.set()
    with pytest.raises(LeaveError):
        leaving.result(PATIENCE_S)
    held.drawing.clear()
    later = ask(callers, shared, "later")
    # though nobody opened the gate for the first batch, the second one is drawn
    assert held.drawing.wait(PATIENCE_S)
    held.open.set()
    assert len(later.result(PATIENCE_S)) == 2
    assert held.batches == [[("later", 0), ("later", 1)]]


def test_a_batch_goes_on_for_those_who_stay(
    held: Held,
    shared: SharedPrototyper,
    callers: ThreadPoolExecutor,
    first: Future[list[Sample]],
) -> None:
    leaves = Leaving()
    together = [ask(callers, shared, "leaving", on=leaves), ask(callers, shared, "staying")]
    until(lambda: shared.waiting == 2)
    held.open.set()
    assert first.result(PATIENCE_S)
    leaves.gone.set()
    assert len(together[1].result(PATIENCE_S)) == 2


def test_callers_take_turns_however_much_one_of_them_asks(
    held: Held, shared: SharedPrototyper, callers: ThreadPoolExecutor
) -> None:
    first = ask(callers, shared, "first", n=8)
    assert held.drawing.wait(PATIENCE_S)
    greedy = [ask(callers, shared, f"greedy {n}", n=4, caller="greedy") for n in range(6)]
    until(lambda: shared.waiting == 6)
    modest = ask(callers, shared, "modest", n=4, caller="modest")
    until(lambda: shared.waiting == 7)
    held.open.set()
    for answer in (first, modest, *greedy):
        answer.result(PATIENCE_S)
    second = {text for text, _ in held.batches[1]}
    assert "modest" in second
    assert len(second) == 2


def test_a_request_larger_than_a_batch_is_drawn_in_several(
    held: Held, shared: SharedPrototyper
) -> None:
    held.open.set()
    assert len(shared.draw(shared.plan(ReportSource("many"), n=20))) == 20
    assert [len(batch) for batch in held.batches] == [8, 8, 4]


def test_a_batch_that_does_not_fit_is_halved_for_good(held: Held, shared: SharedPrototyper) -> None:
    held.open.set()
    held.room = 3
    samples = shared.draw(shared.plan(ReportSource("many"), n=8))
    assert [sample.provenance.seed for sample in samples] == list(range(8))
    assert {len(batch) for batch in held.batches} == {2}
    assert shared.batch_size == 2
    shared.draw(shared.plan(ReportSource("more"), n=4))
    assert {len(batch) for batch in held.batches} == {2}


def test_a_single_picture_that_does_not_fit_is_an_error(
    held: Held, shared: SharedPrototyper
) -> None:
    held.open.set()
    held.room = 0
    with pytest.raises(OutOfMemoryError):
        shared.draw(shared.plan(ReportSource("one"), n=2))


def test_a_blank_picture_fails_its_own_caller_only(
    held: Held,
    shared: SharedPrototyper,
    callers: ThreadPoolExecutor,
    first: Future[list[Sample]],
) -> None:
    blank, good = ask(callers, shared, "blank"), ask(callers, shared, "good")
    until(lambda: shared.waiting == 2)
    held.open.set()
    assert first.result(PATIENCE_S)
    assert len(good.result(PATIENCE_S)) == 2
    with pytest.raises(GenerationError, match="blank"):
        blank.result(PATIENCE_S)


def test_what_the_model_never_learned_is_refused_without_waiting(
    held: Held,
    shared: SharedPrototyper,
    first: Future[list[Sample]],
) -> None:
    with pytest.raises(UndrawableError):
        shared.draw(shared.plan(ReportSource("unknown")))
    held.open.set()
    first.result(PATIENCE_S)


def test_each_caller_hears_its_own_steps_to_their_end(
    held: Held,
    shared: SharedPrototyper,
    callers: ThreadPoolExecutor,
    first: Future[list[Sample]],
) -> None:
    heard: dict[str, list[tuple[int, int]]] = {"one": [], "other": []}

    def listener(name: str) -> Progress:
        return lambda _stage, done, of: heard[name].append((done, of))

    both = [ask(callers, shared, name, n=n, on=listener(name)) for name, n in
            (("one", 2), ("other", 6))]  # fmt: skip
    until(lambda: shared.waiting == 2)
    held.open.set()
    for answer in (first, *both):
        answer.result(PATIENCE_S)
    for name, n in (("one", 2), ("other", 6)):
        steps = [done for done, _ in heard[name]]
        assert steps == sorted(steps)
        assert heard[name][-1] == (n * held.steps, n * held.steps)
