"""A question answered step by step, as server-sent events."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import anyio
from anyio.from_thread import run_sync as in_loop
from anyio.lowlevel import current_token
from anyio.streams.memory import MemoryObjectSendStream
from fastapi import APIRouter
from pydantic import BaseModel
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Scope

from coin_retrieval.errors import CoinError
from coin_retrieval.presenting.answer import SearchAnswer
from coin_retrieval.presenting.answering import to_prototype_answer
from coin_retrieval.search.plan import SearchPlan
from coin_retrieval.search.query import Query
from coin_retrieval.types import SearchMode
from server.asking import Asked, AskingHere
from server.audit.events import of_search, tell
from server.layers.audit_trail import write_down
from server.services import JSON_ONLY
from server.wire.problems import problem_of
from server.wire.schemas import prototype_path

router = APIRouter(prefix="/v1", tags=["search"])
log = logging.getLogger("coin.server")

_LOOK_S = 0.5
_PING_S = 15


@router.post(
    "/search/stream",
    summary="Nearest real cases of a report, step by step",
    response_class=EventSourceResponse,
    dependencies=[JSON_ONLY],
    responses={
        200: {"content": {"text/event-stream": {}}, "description": "events, `answer` the last"},
    },
)
async def stream(asked: Query, asking: AskingHere) -> EventSourceResponse:
    """Answer as POST /v1/search does, and say meanwhile how far it is.

    Events, each with JSON data: `plan` (every decision), `cases` (an answer by the text alone,
    where the text can be searched and pictures are still to be drawn), `queue` (`ahead`: how many
    requests stand before this one), `step` (`done` of `of`), `prototype` (a drawing of the report,
    which may yet be refused), and at last `answer` (as POST
    /v1/search gives it) or `problem`. What can be refused at once is refused as usual. Who closes
    the connection stops the drawing.
    """
    question = asking.asks(asked)
    plan = await question.plan()
    return EventSourceResponse(_events(question, plan, asking.request.scope), ping=_PING_S)


async def _events(
    question: Asked, plan: SearchPlan, scope: Scope
) -> AsyncIterator[ServerSentEvent]:
    # the request's own lease ends with the endpoint; this one lasts as long as the answer
    with question.parts.loading.lease():
        yield _event("plan", plan.public())
        try:
            if not question.retriever.must_draw(plan):
                yield await _shown("answer", question, await question.found(plan), scope)
                return
            if plan.mode is SearchMode.FUSED:
                by_text = question.retriever.planner.without_drawings(plan)
                yield await _shown("cases", question, await question.found(by_text), scope)
            async for event in _drawn(question, plan, scope):
                yield event
        except CoinError as error:
            yield _event("problem", problem_of(error))
        except OSError as error:
            log.error("the audit log cannot be written: %s", error.strerror)
            yield _event("problem", {"kind": "not_recorded", "status": 503})


async def _drawn(question: Asked, plan: SearchPlan, scope: Scope) -> AsyncIterator[ServerSentEvent]:
    """The place in the line, the steps, and the answer."""
    send, receive = anyio.create_memory_object_stream[ServerSentEvent](64)
    queue = question.parts.queues.drawing
    failed: list[CoinError] = []
    # steps are told in the generator's own thread
    loop = current_token()

    awaited = list(plan.words.drawing.pictures) if plan.words and plan.words.drawing else []

    def on(stage: str, done: int, of: int) -> None:
        step = _event("step", {"stage": stage, "done": done, "of": of})
        in_loop(_post, send, step, token=loop)
        while awaited and (here := question.retriever.cache.get(awaited[0])):
            del awaited[0]
            drawn = _event("prototype", to_prototype_answer(here, prototype_path))
            in_loop(_post, send, drawn, token=loop)

    async def draw() -> None:
        async with send:
            try:
                answer = await question.drawn(plan, on=on)
                await send.send(await _shown("answer", question, answer, scope))
            except CoinError as error:
                failed.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(draw)
        ahead = queue.ahead
        yield _event("queue", {"ahead": ahead})
        async with receive:
            while True:
                event = None
                # not around the yield: a client that reads slowly would be taken for a late step
                with anyio.move_on_after(_LOOK_S):
                    try:
                        event = await receive.receive()
                    except anyio.EndOfStream:
                        break
                if event is not None:
                    yield event
                elif queue.ahead < ahead:
                    ahead = queue.ahead
                    yield _event("queue", {"ahead": ahead})
    if failed:
        raise failed[0]


def _post(send: MemoryObjectSendStream[ServerSentEvent], event: ServerSentEvent) -> None:
    """A step that nobody has fetched yet is as good as its successor."""
    try:
        send.send_nowait(event)
    except (anyio.WouldBlock, anyio.BrokenResourceError, anyio.ClosedResourceError):
        return


async def _shown(name: str, question: Asked, answer: SearchAnswer, scope: Scope) -> ServerSentEvent:
    """An event with cases, written down before it is sent."""
    tell(scope, of_search(answer))
    if question.parts.audit is not None:
        await write_down(scope, question.parts.audit, 200)
    return _event(name, answer)


def _event(name: str, told: BaseModel | dict[str, Any]) -> ServerSentEvent:
    data = told.model_dump_json() if isinstance(told, BaseModel) else json.dumps(told)
    return ServerSentEvent(event=name, data=data)
