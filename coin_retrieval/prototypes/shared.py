"""One model for many callers: what they ask at the same time is drawn in the same batches.

A diffusion model draws sixteen pictures in less time than four times four, so callers that come
together are better served together than one after the other.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic

from coin_retrieval.errors import GenerationError, OutOfMemoryError
from coin_retrieval.progress import Progress
from coin_retrieval.prototypes.base import STAGE, Drawn, Prototyper
from coin_retrieval.types import Provenance, RgbImage, Sample, Source

_caller: ContextVar[str] = ContextVar("coin_drawing_caller", default="")
_LOOK_S = 0.2


@contextmanager
def drawing_for(caller: str) -> Iterator[None]:
    """What is drawn in this block is drawn for this caller: callers take turns."""
    token = _caller.set(caller)
    try:
        yield
    finally:
        _caller.reset(token)


class _Asked:
    """What one call of ``draw`` waits for; changed under the owner's lock only."""

    def __init__(self, plans: Sequence[Provenance], on: Progress, caller: str) -> None:
        self.plans = list(dict.fromkeys(plans))
        self.left = deque(self.plans)
        self.drawn: dict[Provenance, Sample] = {}
        self.on, self.caller = on, caller
        self._telling = threading.Lock()
        self.error: BaseException | None = None
        self.begun = False

    @property
    def over(self) -> bool:
        """Whether nothing is waited for any more."""
        return self.error is not None or len(self.drawn) == len(self.plans)

    def tell(self, in_batch: int, step: int) -> None:
        """Pass a step on; a listener that raises has left, and its error is its answer."""
        with self._telling:
            if self.error is not None or not self.plans:
                return
            steps = self.plans[0].steps
            try:
                self.on(STAGE, len(self.drawn) * steps + in_batch * step, len(self.plans) * steps)
            except BaseException as error:  # noqa: BLE001 - it belongs to the caller
                self.error = error


class SharedPrototyper(Prototyper):
    """A prototyper that several threads may ask at once; one thread of its own draws.

    Callers take turns, one request each; a request whose listener raises is dropped at the next
    step, and a batch stops when the last of its callers has left. A batch that does not fit into
    memory is halved, for good. What two callers ask alike is drawn once. Where a picture takes
    longer than ``slow_s``, each caller gets one after the other: a large model gains little by
    larger batches, and whoever waits sees the first picture sooner.

    Args:
        batch_size: pictures in one batch at most; ``None`` takes the inner prototyper's.
    """

    serial = False
    slow_s = 1.0

    def __init__(self, inner: Prototyper, *, batch_size: int | None = None) -> None:
        self.name, self.identity, self.sources = inner.name, inner.identity, inner.sources
        self.batch_size = inner.batch_size = batch_size or inner.batch_size
        self._inner = inner
        self._changed = threading.Condition()
        self._knows = threading.Lock()
        self._waiting: dict[str, deque[_Asked]] = {}
        self._slow = False
        self._thread: threading.Thread | None = None

    def load(self) -> None:
        """See :meth:`.Prototyper.load`."""
        self._inner.load()

    def knows(self, source: Source) -> bool:
        """See :meth:`.Prototyper.knows`."""
        with self._knows:
            return self._inner.knows(source)

    @property
    def waiting(self) -> int:
        """Requests that nothing was drawn for yet."""
        with self._changed:
            return sum(not one.begun for line in self._waiting.values() for one in line)

    def _drawn(self, plans: Sequence[Provenance], on: Progress, drawn: Drawn) -> list[Sample]:
        """Waits for its turn, and hands over what was drawn while others are drawn on."""
        asked = _Asked(plans, on, _caller.get())
        with self._changed:
            self._waiting.setdefault(asked.caller, deque()).append(asked)
            self._begin()
            self._changed.notify_all()
        given, over = 0, False
        try:
            while not over:
                if not asked.begun:
                    # so that a listener can leave the line, too
                    asked.tell(0, 0)
                with self._changed:
                    if not asked.over and len(asked.drawn) == given:
                        self._changed.wait(_LOOK_S)
                    fresh, over = list(asked.drawn.values())[given:], asked.over
                for sample in fresh:
                    drawn(sample)
                given += len(fresh)
                if fresh:
                    asked.tell(0, 0)
        except BaseException as error:
            # an interrupted caller leaves as one whose listener raised
            asked.error = error
            raise
        finally:
            self._forget(asked)
        if asked.error is not None:
            raise asked.error
        return [asked.drawn[plan] for plan in plans]

    def _plan(self, source: Source) -> Provenance:
        return self._inner._plan(source)

    def _draw(self, plans: Sequence[Provenance], on_step: Callable[[int], None]) -> list[RgbImage]:
        return self._inner._draw(plans, on_step)

    def _begin(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name="coin-drawing", daemon=True)
            self._thread.start()

    def _forget(self, asked: _Asked) -> None:
        with self._changed:
            line = self._waiting[asked.caller]
            line.remove(asked)
            if not line:
                del self._waiting[asked.caller]

    def _work(self) -> None:
        while True:
            with self._changed:
                while not (batch := self._next_batch()):
                    self._changed.wait()
            self._draw_batch(batch)
            with self._changed:
                self._changed.notify_all()

    def _next_batch(self) -> dict[Provenance, list[_Asked]]:
        """The pictures to draw next, and who waits for each: a request of each caller in turn."""
        batch: dict[Provenance, list[_Asked]] = {}
        for asked in self._in_turn():
            while asked.left and (len(batch) < self.batch_size or asked.left[0] in batch):
                plan = asked.left[0]
                if self._slow and any(asked in ones for ones in batch.values()):
                    break
                if batch and _shape(plan) != _shape(next(iter(batch))):
                    break
                asked.begun = True
                batch.setdefault(asked.left.popleft(), []).append(asked)
        # who was served goes to the end of the line of callers
        for caller in dict.fromkeys(one.caller for ones in batch.values() for one in ones):
            if caller in self._waiting:
                self._waiting[caller] = self._waiting.pop(caller)
        return batch

    def _in_turn(self) -> list[_Asked]:
        lines = [[one for one in line if one.left] for line in self._waiting.values()]
        depth = max(map(len, lines), default=0)
        return [line[at] for at in range(depth) for line in lines if at < len(line)]

    def _draw_batch(self, batch: dict[Provenance, list[_Asked]]) -> None:
        askers = list(dict.fromkeys(one for ones in batch.values() for one in ones))
        shares = {one: sum(one in ones for ones in batch.values()) for one in askers}

        def on(stage: str, done: int, of: int) -> None:
            del stage
            step = done * next(iter(batch)).steps // max(of, 1)
            for one in askers:
                if step < next(iter(batch)).steps:
                    one.tell(shares[one], step)
            if all(one.error is not None for one in askers):
                raise _AllLeftError("all callers have left")

        began = monotonic()
        try:
            samples = self._inner.draw(list(batch), on=on)
            self._slow = monotonic() - began > self.slow_s * len(batch)
            self._keep(batch, samples)
        except _AllLeftError:
            return
        except OutOfMemoryError as error:
            if len(batch) == 1:
                self._fail(askers, error)
                return
            with self._changed:
                self.batch_size = self._inner.batch_size = len(batch) // 2
            self._again(batch)
        except GenerationError as error:
            if len(askers) == 1:
                self._fail(askers, error)
            else:
                # one caller's blank picture is not the others' business
                for one in askers:
                    own = {plan: [one] for plan, ones in batch.items() if one in ones}
                    self._draw_batch({p: o for p, o in own.items() if p not in one.drawn})
        except BaseException as error:  # noqa: BLE001 - a thread's exception would be lost otherwise
            self._fail(askers, error)

    def _again(self, batch: dict[Provenance, list[_Asked]]) -> None:
        """Draw a batch in parts of the size that fits."""
        plans = list(batch)
        for at in range(0, len(plans), max(1, len(plans) // 2)):
            part = plans[at : at + max(1, len(plans) // 2)]
            self._draw_batch({plan: batch[plan] for plan in part})

    def _keep(self, batch: dict[Provenance, list[_Asked]], samples: Sequence[Sample]) -> None:
        drawn = {sample.provenance: sample for sample in samples}
        with self._changed:
            # also to those who asked for the same while it was being drawn
            waiting = [one for line in self._waiting.values() for one in line]
            askers = dict.fromkeys([*(o for ones in batch.values() for o in ones), *waiting])
            for one in askers:
                one.drawn |= {plan: drawn[plan] for plan in one.plans if plan in drawn}
                one.left = deque(plan for plan in one.left if plan not in drawn)
            self._changed.notify_all()

    def _fail(self, askers: Sequence[_Asked], error: BaseException) -> None:
        with self._changed:
            for one in askers:
                one.error = one.error or error
            self._changed.notify_all()


class _AllLeftError(Exception):
    """Nobody waits for this batch any more."""


def _shape(plan: Provenance) -> tuple[type[Source], int, float, int, int]:
    return type(plan.source), plan.steps, plan.guidance, plan.width_px, plan.height_px
