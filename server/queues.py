"""Worker threads with bounded queues before them, so that nothing blocks the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Protocol, TypeVar

import anyio
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


class Queue:
    """Runs blocking work, ``workers`` at a time; at most ``queue`` more may wait.

    A worker that is free takes the next work itself: it does not wait for the loop, which waits for
    the interpreter whenever others compute. Use it inside one event loop.
    """

    def __init__(self, name: str, *, workers: int, queue: int, retry_after_s: int) -> None:
        self._name, self._workers, self._places = name, workers, workers + queue
        self._retry_after_s = retry_after_s
        # its own threads: the loop's shared ones would let one queue fill up another's
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix=f"coin-{name}")
        self.held = 0

    @property
    def ahead(self) -> int:
        """How many wait for a worker."""
        return max(0, self.held - self._workers)

    async def run(self, listener: Listener, work: Callable[[], Answer]) -> Answer:
        """``work()`` in a thread, unless the client left while it waited for its turn.

        Raises:
            BusyError: all workers and all places in the queue are taken.
            ClientGoneError: nobody waits for the answer any more.
        """
        return await self._in_turn(listener, work)

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
        return await self._in_turn(listener, partial(work, stop.told), stop)

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_turn(
        self, listener: Listener, work: Callable[[], Answer], stop: _Stop | None = None
    ) -> Answer:
        if self.held >= self._places:
            raise BusyError(self._name, held=self.held, retry_after_s=self._retry_after_s)
        self.held += 1
        try:
            future = self._threads.submit(copy_context().run, work)
            done, loop = asyncio.Event(), asyncio.get_running_loop()
            future.add_done_callback(lambda _: loop.call_soon_threadsafe(done.set))

            def leave() -> None:
                future.cancel()
                if stop is not None:
                    stop.left = True

            async def watch() -> None:
                await _until_left(listener)
                leave()

            try:
                if stop is None and not self.ahead:
                    await done.wait()
                else:
                    async with anyio.create_task_group() as group:
                        group.start_soon(watch)
                        await done.wait()
                        group.cancel_scope.cancel()
            finally:
                # who is cancelled gives its place up when the thread is free again
                leave()
                with anyio.CancelScope(shield=True):
                    await done.wait()
        finally:
            self.held -= 1
        if future.cancelled():
            raise ClientGoneError("the client left before its turn")
        return future.result()


class _Stop:
    """Whether work goes on, asked at each of its steps."""

    def __init__(self, patience_s: float, on: Progress) -> None:
        self._patience_s, self._on = patience_s, on
        self._ends = time.monotonic() + patience_s
        self.left = False

    def told(self, stage: str, done: int, of: int) -> None:
        if self.left:
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

    def close(self) -> None:
        """Let all threads go."""
        for queue in self.named.values():
            queue.close()
