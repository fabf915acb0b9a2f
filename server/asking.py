"""One question on its way through the queues: planned, drawn if it must be, and searched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request, UploadFile

from coin_retrieval.archive import Archive
from coin_retrieval.images.decoding import decode_image
from coin_retrieval.presenting.answer import SearchAnswer
from coin_retrieval.progress import Progress, silent
from coin_retrieval.prototypes.shared import drawing_for
from coin_retrieval.search.plan import SearchPlan
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.types import RgbImage
from server.access.principals import LOCAL, principal_of
from server.audit.events import Event, of_search, tell
from server.limits import ServerLimits
from server.queues import Listener
from server.services import RetrieverHere, Services, ServicesHere
from server.wire.schemas import search_answer

Read = TypeVar("Read")


def address_of(request: Request) -> str:
    """Whence a request comes."""
    return request.client.host if request.client else ""


def caller_of(request: Request) -> str:
    """Who takes turns with others at the generator; without accounts, the address that asks."""
    principal = principal_of(request.scope)
    return address_of(request) if principal is LOCAL else principal.name


def read_upload(upload: UploadFile, limits: ServerLimits) -> RgbImage:
    """The picture of a form, uint8 [h w 3].

    Raises:
        ImageError: it cannot be decoded, or is too large.
    """
    return decode_image(
        upload.file.read(), name="the uploaded picture", max_pixels=limits.upload_pixels
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, who waits for its answer, and what answers it."""

    query: Query
    upload: UploadFile | None
    listener: Listener
    caller: str
    retriever: Retriever
    parts: Services

    async def plan(self) -> SearchPlan:
        """Every decision of the search; nothing is drawn yet."""
        return await self.parts.queues.search.run(self.listener, self._plan)

    async def answer(self) -> SearchAnswer:
        """The whole answer. Only a search that must draw waits with those that draw."""
        begun = await self.parts.queues.search.run(self.listener, self._begin)
        return begun if isinstance(begun, SearchAnswer) else await self.drawn(begun)

    async def found(self, plan: SearchPlan) -> SearchAnswer:
        """The answer of a plan that draws nothing, or nothing that the cache lacks."""
        return await self.parts.queues.search.run(self.listener, partial(self._run, plan, silent))

    async def drawn(self, plan: SearchPlan, *, on: Progress = silent) -> SearchAnswer:
        """The answer of a plan that has to draw first.

        Args:
            on: told of the steps, in a worker's thread.
        """
        with drawing_for(self.caller):
            return await self.parts.queues.drawing.run_stoppable(
                self.listener,
                partial(self._run, plan),
                patience_s=self.parts.limits.drawing_s,
                on=on,
            )

    def _plan(self) -> SearchPlan:
        # read here, in a worker: pictures that wait for their turn lie on disk, not in memory
        picture = None if self.upload is None else read_upload(self.upload, self.parts.limits)
        return self.retriever.plan(self.query, picture)

    def _begin(self) -> SearchAnswer | SearchPlan:
        plan = self._plan()
        return plan if self.retriever.must_draw(plan) else self._run(plan, silent)

    def _run(self, plan: SearchPlan, on: Progress) -> SearchAnswer:
        result = self.retriever.run(plan, on)
        return search_answer(result)


@dataclass(frozen=True, slots=True)
class Asking:
    """What an endpoint asks questions with: its request, the retriever and the queues."""

    request: Request
    retriever: Retriever
    parts: Services

    def asks(self, query: Query, upload: UploadFile | None = None) -> Asked:
        """A question of this request's client."""
        return Asked(
            query, upload, self.request, caller_of(self.request), self.retriever, self.parts
        )

    async def read(self, work: Callable[[Archive], Read], **shown: Any) -> Read:
        """What ``work`` reads of the archive, in a worker; ``shown`` is told to the audit log."""
        archive = self.retriever.archive
        found = await self.parts.queues.pictures.run(self.request, partial(work, archive))
        if shown:
            tell(self.request.scope, Event(archive.version, **shown))
        return found

    async def answer(self, query: Query, upload: UploadFile | None = None) -> SearchAnswer:
        """The whole answer, and what it shows told to the audit log."""
        answer = await self.asks(query, upload).answer()
        tell(self.request.scope, of_search(answer))
        return answer


async def asking(request: Request, retriever: RetrieverHere, parts: ServicesHere) -> Asking:
    """What the endpoint of this request asks with.

    A coroutine, as all dependencies here: FastAPI makes others in a thread, which has to be waited
    for.
    """
    return Asking(request, retriever, parts)


AskingHere = Annotated[Asking, Depends(asking)]
