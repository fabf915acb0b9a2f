"""Bounded queues before worker threads."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.to_thread
import pytest
from fastapi import Request

from server.limits import ServerLimits
from server.queues import Queue, Queues
from server.wire.errors import BusyError, ClientGoneError

PATIENCE_S = 20


def a_request(*, gone: bool = False) -> Request:
    async def receive() -> dict[str, Any]:
        if gone:
            return {"type": "http.disconnect"}
        await anyio.sleep_forever()
        return {}

    return Request({"type": "http", "method": "GET", "path": "/", "headers": []}, receive)


def a_queue(*, workers: int = 1, queue: int = 1) -> Queue:
    return Queue("drawing", workers=workers, queue=queue, retry_after_s=7)


async def until(fact: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE_S):
        while not fact():
            await anyio.sleep(0.005)


def in_a_loop(scene: Callable[[], Awaitable[None]]) -> None:
    anyio.run(scene)


def test_work_runs_in_another_thread_than_the_loop() -> None:
    async def scene() -> None:
        here = threading.get_ident()
        assert await a_queue().run(a_request(), threading.get_ident) != here

    in_a_loop(scene)


def test_no_more_than_the_workers_run_at_once() -> None:
    async def scene() -> None:
        queue = a_queue(workers=2, queue=10)
        gate, running, most, lock = threading.Event(), 0, 0, threading.Lock()

        def work() -> None:
            nonlocal running, most
            with lock:
                running += 1
                most = max(most, running)
            gate.wait(PATIENCE_S)
            with lock:
                running -= 1

        async with anyio.create_task_group() as group:
            for _ in range(6):
                group.start_soon(queue.run, a_request(), work)
            await until(lambda: queue.held == 6 and running == 2)
            gate.set()
        assert most == 2

    in_a_loop(scene)


def test_a_full_queue_refuses_at_once_and_says_when_to_ask_again() -> None:
    async def scene() -> None:
        queue, gate = a_queue(workers=1, queue=1), threading.Event()
        async with anyio.create_task_group() as group:
            for _ in range(2):
                group.start_soon(queue.run, a_request(), lambda: gate.wait(PATIENCE_S))
            await until(lambda: queue.held == 2)
            with pytest.raises(BusyError) as refused:
                await queue.run(a_request(), lambda: None)
            gate.set()
        assert refused.value.headers == {"Retry-After": "7"}

    in_a_loop(scene)


@pytest.mark.parametrize(
    ("kind", "name", "workers", "places", "retry_after_s"),
    [
        ("drawing", "drawing", 1, 1 + 2, 10),
        ("search", "searching", 2, 2 + 3, 2),
        ("pictures", "reading", 3, 3 + 4, 1),
    ],
)
def test_each_kind_of_work_has_its_own_workers_places_and_patience(
    kind: str, name: str, workers: int, places: int, retry_after_s: int
) -> None:
    limits = ServerLimits(
        drawing_workers=1, drawing_queue=2, search_workers=2, search_queue=3,
        picture_workers=3, picture_queue=4,
    )  # fmt: skip

    async def scene() -> None:
        queue: Queue = getattr(Queues(limits), kind)
        gate, running, lock = threading.Event(), 0, threading.Lock()

        def work() -> None:
            nonlocal running
            with lock:
                running += 1
            gate.wait(PATIENCE_S)

        async with anyio.create_task_group() as group:
            for _ in range(places):
                group.start_soon(queue.run, a_request(), work)
            await until(lambda: queue.held == places and running == workers)
            with pytest.raises(BusyError, match=name) as refused:
                await queue.run(a_request(), work)
            gate.set()
        assert refused.value.headers == {"Retry-After": str(retry_after_s)}
        assert str(places) in f"{refused.value.value}"
        assert queue.held == 0

    in_a_loop(scene)


def test_a_full_queue_does_not_hold_up_another() -> None:
    async def scene() -> None:
        full, other, gate = a_queue(queue=0), a_queue(queue=0), threading.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(full.run, a_request(), lambda: gate.wait(PATIENCE_S))
            await until(lambda: full.held == 1)
            assert await other.run(a_request(), lambda: "answered") == "answered"
            gate.set()

    in_a_loop(scene)


def test_workers_are_not_held_up_by_the_threads_of_the_loop() -> None:
    async def scene() -> None:
        many = int(anyio.to_thread.current_default_thread_limiter().total_tokens) + 1
        queue, gate, here = (
            a_queue(workers=many, queue=0),
            threading.Event(),
            threading.Semaphore(0),
        )

        def work() -> None:
            here.release()
            gate.wait(PATIENCE_S)

        async with anyio.create_task_group() as group:
            for _ in range(many):
                group.start_soon(queue.run, a_request(), work)
            arrived = 0

            def all_here() -> bool:
                nonlocal arrived
                while here.acquire(blocking=False):
                    arrived += 1
                return arrived == many

            await until(all_here)
            gate.set()

    in_a_loop(scene)


def test_the_loop_answers_while_all_threads_work() -> None:
    async def scene() -> None:
        queue, gate = a_queue(), threading.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(queue.run, a_request(), lambda: gate.wait(PATIENCE_S))
            await until(lambda: queue.held == 1)
            # this line is reached only because the loop is free
            gate.set()

    in_a_loop(scene)


def test_work_of_a_client_that_left_the_line_is_never_begun() -> None:
    async def scene() -> None:
        begun, queue, gate = [], a_queue(), threading.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(queue.run, a_request(), lambda: gate.wait(PATIENCE_S))
            await until(lambda: queue.held == 1)
            with pytest.raises(ClientGoneError):
                await queue.run(a_request(gone=True), lambda: begun.append(True))
            gate.set()
        assert not begun

    in_a_loop(scene)


def test_a_client_that_leaves_while_it_waits_gives_its_place_up_at_once() -> None:
    async def scene() -> None:
        queue, gate, leaving = a_queue(workers=1, queue=1), threading.Event(), anyio.Event()
        refused: list[Exception] = []

        async def receive() -> dict[str, Any]:
            await leaving.wait()
            return {"type": "http.disconnect"}

        async def wait_in_vain() -> None:
            scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
            try:
                await queue.run(Request(scope, receive), lambda: None)
            except ClientGoneError as error:
                refused.append(error)

        async with anyio.create_task_group() as group:
            group.start_soon(queue.run, a_request(), lambda: gate.wait(PATIENCE_S))
            group.start_soon(wait_in_vain)
            await until(lambda: queue.held == 2)
            leaving.set()
            await until(lambda: queue.held == 1)
            assert len(refused) == 1
            # somebody else takes the place, and is answered
            group.start_soon(queue.run, a_request(), lambda: None)
            await until(lambda: queue.held == 2)
            gate.set()

    in_a_loop(scene)


def test_a_place_is_free_again_after_work_that_failed() -> None:
    async def scene() -> None:
        queue = a_queue(queue=0)

        def fail() -> None:
            raise ValueError("broken")

        with pytest.raises(ValueError, match="broken"):
            await queue.run(a_request(), fail)
        assert await queue.run(a_request(), lambda: 1) == 1

    in_a_loop(scene)
