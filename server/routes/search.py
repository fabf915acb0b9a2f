"""Questions: by report, by picture, and by both."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, UploadFile

from coin_retrieval.images import decode_image
from coin_retrieval.presenting.answer import SearchAnswer
from coin_retrieval.search.plan import SearchPlan
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from server.audit.events import of_search, tell
from server.questions import PictureQuery
from server.refusals import refusals
from server.schemas import search_answer
from server.services import RetrieverHere, Services, ServicesHere, form_only, json_only

router = APIRouter(prefix="/v1", tags=["search"])


@router.post(
    "/search",
    summary="Nearest real cases of a report",
    dependencies=[Depends(json_only)],
    responses=refusals(400, 404, 409, 413, 415, 422, 503),
)
async def search(
    asked: Query, request: Request, retriever: RetrieverHere, parts: ServicesHere
) -> SearchAnswer:
    """Draw what the report describes, and find the real cases nearest to the drawings.

    The answer is the command line's (`coin search --json`), with URL paths instead of files. It is
    reference and decision support, not a diagnosis: `support` has the diagnoses of the nearest
    cases with their intervals, and says when no case is close. `plan` has every decision of the
    search. To ask again after a look at the cases, send the same question with `liked` and
    `disliked`.
    """
    return await _answered(asked, None, request, retriever, parts)


@router.post(
    "/search/image",
    summary="Nearest real cases of a picture",
    dependencies=[Depends(form_only)],
    responses=refusals(400, 404, 409, 413, 415, 422, 503),
)
async def search_by_image(
    asked: Annotated[PictureQuery, Form(media_type="multipart/form-data")],
    request: Request,
    retriever: RetrieverHere,
    parts: ServicesHere,
) -> SearchAnswer:
    """Find the real cases nearest to a picture, alone or together with a report.

    Without a report nothing is drawn. The picture is searched with and forgotten.
    """
    return await _answered(asked.plain(), asked.image, request, retriever, parts)


async def _answered(
    query: Query, upload: UploadFile | None, request: Request, retriever: Retriever, parts: Services
) -> SearchAnswer:
    answer = await _found(query, upload, request, retriever, parts)
    tell(request.scope, of_search(answer))
    return answer


async def _found(
    query: Query,
    upload: UploadFile | None,
    request: Request,
    retriever: Retriever,
    parts: Services,
) -> SearchAnswer:
    """Only a search that must draw waits with the drawings: its plan says whether it must."""
    begin = partial(_begin, query, upload, retriever, parts)
    begun = await parts.queues.search.run(request, begin)
    if isinstance(begun, SearchAnswer):
        return begun
    finish = partial(_finish, begun, retriever, parts)
    return await parts.queues.drawing.run(request, finish)


def _begin(
    query: Query, upload: UploadFile | None, retriever: Retriever, parts: Services
) -> SearchAnswer | SearchPlan:
    """The answer, or the plan of a search that has to draw first."""
    picture = None
    if upload is not None:
        # read here, in a worker: pictures that wait for their turn lie on disk, not in memory
        picture = decode_image(
            upload.file.read(), name="the uploaded picture", max_pixels=parts.limits.upload_pixels
        )
    plan = retriever.plan(query, picture)
    return plan if retriever.must_draw(plan) else _finish(plan, retriever, parts)


def _finish(plan: SearchPlan, retriever: Retriever, parts: Services) -> SearchAnswer:
    return search_answer(retriever.run(plan), sites=parts.archive.sites(retriever))
