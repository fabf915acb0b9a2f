"""Worker threads with bounded queues before them, so that nothing blocks the event loop."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import Protocol, TypeVar

import anyio
from anyio.to_thread import run_sync
from starlette.types import Receive

from coin_retrieval.progress import Progress, silent
from server.limits import ServerLimits
from server.wire.errors import BusyError, ClientGoneError, TooLateError

Answer = TypeVar("Answer")


class Listener(Protocol):
    """Who waits for an answer, and may leave: a listener, or a job that can be cancelled."""

    @property
    def receive(self) -> Receive:
        """The next message; ``http.disconnect`` when nobody waits any more."""

    async def is_disconnected(self) -> bool:
        """Whether nobody waits any more."""


class Queue:
    """Runs blocking work, ``workers`` at a time; at most ``queue`` more may wait.

    Create it inside the event loop that uses it.
    """

    def __init__(self, name: str, *, workers: int, queue: int, retry_after_s: int) -> None:
        self._name = name
        self._places = workers + queue
        self._retry_after_s = retry_after_s
        self._turn = anyio.Semaphore(workers)
        # its own thread limiter: the loop's shared one would let one queue fill up another's
        self._threads = anyio.CapacityLimiter(workers)
        self.held = 0

    @property
    def ahead(self) -> int:
        """How many wait for a worker."""
        return self._turn.statistics().tasks_waiting

    async def run(self, listener: Listener, work: Callable[[], Answer]) -> Answer:
        """``work()`` in a thread, unless the client left while it waited for its turn.

        Raises:
            BusyError: all workers and all places in the queue are taken.
            ClientGoneError: nobody waits for the answer any more.
        """
        return await self._in_turn(listener, partial(run_sync, work, limiter=self._threads))

    async def run_stoppable(
        self,
        listener: Listener,
        work: Callable[[Progress], Answer],
        *,
        patience_s: float,
        on: Progress = silent,
    ) -> Answer:
        """As :meth:`run`, for work that tells its steps: it stops at the next one when the client
        has left, or when it has taken too long.

        Args:
            patience_s: from now on, waiting included.
            on: told of the steps too, in the worker's thread.

        Raises:
            BusyError, ClientGoneError: as :meth:`run` does.
            TooLateError: it was not done in time.
        """
        stop = _Stop(patience_s, on)

        async def watched() -> Answer:
            error: Exception | None = None
            async with anyio.create_task_group() as group:
                group.start_soon(stop.watch, listener)
                try:
                    answer = await run_sync(partial(work, stop.told), limiter=self._threads)
                except Exception as raised:  # noqa: BLE001 - the group would wrap it
                    error = raised
                group.cancel_scope.cancel()
            if error is not None:
                raise error
            return answer

        return await self._in_turn(listener, watched)

    async def _in_turn(self, listener: Listener, work: Callable[[], Awaitable[Answer]]) -> Answer:
        if self.held >= self._places:
            raise BusyError(self._name, held=self.held, retry_after_s=self._retry_after_s)
        self.held += 1
        try:
            async with self._turn_of(listener):
                return await work()
        finally:
            self.held -= 1

    @asynccontextmanager
    async def _turn_of(self, listener: Listener) -> AsyncIterator[None]:
        """Wait for a worker, and for the client to leave: who has left keeps nobody waiting."""
        acquired = False
        async with anyio.create_task_group() as waiting:

            async def watch() -> None:
                await _until_left(listener)
                waiting.cancel_scope.cancel()

            waiting.start_soon(watch)
            await self._turn.acquire()
            acquired = True
            waiting.cancel_scope.cancel()
        if not acquired:
            raise ClientGoneError("the client left before its turn")
        try:
            if await listener.is_disconnected():
                raise ClientGoneError("the client left before its turn")
            yield
        finally:
            self._turn.release()


class _Stop:
    """Whether work goes on, asked at each of its steps."""

    def __init__(self, patience_s: float, on: Progress) -> None:
        self._patience_s, self._on = patience_s, on
        self._ends = time.monotonic() + patience_s
        self._left = False

    async def watch(self, listener: Listener) -> None:
        await _until_left(listener)
        self._left = True

    def told(self, stage: str, done: int, of: int) -> None:
        if self._left:
            raise ClientGoneError("the client left before it was answered")
        if time.monotonic() > self._ends:
            raise TooLateError(
                "the answer took too long",
                expected=f"at most {self._patience_s:g} s",
                remedy="ask again in 30 s, or for fewer prototypes",
            )
        self._on(stage, done, of)


async def _until_left(listener: Listener) -> None:
    while (await listener.receive())["type"] != "http.disconnect":
        pass


class Queues:
    """The three kinds of work: drawing is slow, searching is quick, pictures are many."""

    def __init__(self, limits: ServerLimits) -> None:
        self.drawing = Queue(
            "drawing",
            workers=limits.drawing_workers,
            queue=limits.drawing_queue,
            retry_after_s=10,
        )
        self.search = Queue(
            "searching", workers=limits.search_workers, queue=limits.search_queue, retry_after_s=2
        )
        self.pictures = Queue(
            "reading", workers=limits.picture_workers, queue=limits.picture_queue, retry_after_s=1
        )

    @property
    def named(self) -> dict[str, Queue]:
        """The queues by what they do."""
        return {"drawing": self.drawing, "search": self.search, "pictures": self.pictures}
