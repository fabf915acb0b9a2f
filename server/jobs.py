"""Questions that are answered later, for clients that can neither wait nor stream.

Answers lie in memory only, for a while, and for nobody but who asked: they hold reports.
"""

from __future__ import annotations

import logging
import secrets
import time
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import anyio
from anyio.abc import TaskGroup
from starlette.types import Message, Receive

from coin_retrieval.errors import CoinError, NotFoundError
from coin_retrieval.presenting.answer import SearchAnswer
from coin_retrieval.presenting.views import JobView, Problem
from coin_retrieval.search.plan import SearchPlan
from server.access.principals import Principal
from server.audit.events import Event, of_search
from server.layers.request_log import lines_of
from server.limits import ServerLimits
from server.wire.errors import BusyError
from server.wire.problems import problem, problem_of

if TYPE_CHECKING:
    from server.asking import Asked

log = logging.getLogger("coin.server")
_RETRY_AFTER_S = 10


class Job:
    """One question of one principal; it listens for its own cancelling."""

    def __init__(self, owner: Principal) -> None:
        self.id = secrets.token_urlsafe(16)
        self.owner = owner
        self._left = anyio.Event()
        self._state: Literal["waiting", "running", "done", "failed"] = "waiting"
        self._steps = (0, 0)
        self._answer: SearchAnswer | None = None
        self._problem: Problem | None = None
        self._forgotten_at: float | None = None
        self._told = False

    @property
    def receive(self) -> Receive:
        """See :class:`.Listener`."""
        return self._leaving

    def cancel(self) -> None:
        """Stop at the next step."""
        self._left.set()

    def on(self, stage: str, done: int, of: int) -> None:
        """Hear of a step, in a worker's thread."""
        self._state = "running"
        if stage == "drawing":
            self._steps = (done, of)

    def end(self, answer: SearchAnswer | None, problem: Problem | None, *, kept_s: float) -> None:
        """Take the answer, or why there is none."""
        self._answer, self._problem = answer, problem
        self._state = "done" if answer is not None else "failed"
        self._forgotten_at = time.monotonic() + kept_s

    def view(self) -> JobView:
        """How far it is."""
        until = self._forgotten_at
        return JobView(
            id=self.id,
            state=self._state,
            done=self._steps[0],
            of=self._steps[1],
            expires_s=None if until is None else round(max(0.0, until - time.monotonic()), 1),
            answer=self._answer,
            problem=self._problem,
        )

    def shown(self) -> Event | None:
        """What is to be recorded when it is shown; it counts as a search but once."""
        if self._answer is None:
            return None
        event = of_search(self._answer)
        self._told, again = True, self._told
        return replace(event, mode="", timings_ms=()) if again else event

    async def _leaving(self) -> Message:
        await self._left.wait()
        return {"type": "http.disconnect"}


class Jobs:
    """The jobs of one server process. Create it inside the event loop that uses it."""

    def __init__(self, group: TaskGroup, limits: ServerLimits) -> None:
        self._group, self._limits = group, limits
        self._jobs: dict[str, Job] = {}

    def begin(self, job: Job, asked: Asked, plan: SearchPlan, lease: ExitStack) -> None:
        """Work on it; takes ``lease`` over, and closes it when it has ended.

        Raises:
            BusyError: its owner, or everybody together, has too many.
        """
        own = sum(one.owner == job.owner for one in self._jobs.values())
        for held, most in (
            (own, self._limits.jobs_of_one),
            (len(self._jobs), self._limits.jobs),
        ):
            if held >= most:
                raise BusyError("kept", held=held, unit="jobs", retry_after_s=_RETRY_AFTER_S)
        self._jobs[job.id] = job
        self._group.start_soon(self._work, job, asked, plan, lease.pop_all())

    def find(self, job_id: str, owner: Principal) -> Job:
        """The job of this id and owner.

        Raises:
            NotFoundError: there is none, it was forgotten, or it is somebody else's.
        """
        job = self._jobs.get(job_id)
        if job is None or job.owner != owner:
            raise NotFoundError(
                "no such job",
                expected="the id of a job of yours that has not expired",
                remedy="ask again with POST /v1/jobs",
            )
        return job

    def forget(self, job: Job) -> None:
        """Stop it, and drop what it has."""
        job.cancel()
        self._jobs.pop(job.id, None)

    def close(self) -> None:
        """Stop all of them."""
        for job in list(self._jobs.values()):
            self.forget(job)

    async def _work(self, job: Job, asked: Asked, plan: SearchPlan, lease: ExitStack) -> None:
        answer, refused = None, None
        with lease:
            try:
                draws = asked.retriever.must_draw(plan)
                answer = await (asked.drawn(plan, on=job.on) if draws else asked.found(plan))
            except CoinError as error:
                refused = Problem.model_validate(problem_of(error))
            except Exception as error:  # noqa: BLE001 - it would end all jobs
                log.error("a job failed: %s", lines_of(error))
                told = problem("internal", "the server failed to answer", status=500)
                refused = Problem.model_validate(told)
        job.end(answer, refused, kept_s=self._limits.jobs_kept_s)
        if job.id in self._jobs:
            await anyio.sleep(self._limits.jobs_kept_s)
            self.forget(job)
