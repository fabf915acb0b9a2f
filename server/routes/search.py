"""Questions: by report, by picture, and by both."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request

from coin_retrieval.presenting.answer import SearchAnswer
from coin_retrieval.search.query import Query
from server.asking import Asked
from server.audit.events import of_search, tell
from server.services import RetrieverHere, ServicesHere, form_only, json_only
from server.wire.questions import PictureQuery
from server.wire.refusals import refusals

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

    POST /v1/search/stream answers the same question step by step.
    """
    return await _answered(Asked(asked, None, request, retriever, parts))


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
    return await _answered(Asked(asked.plain(), asked.image, request, retriever, parts))


async def _answered(asked: Asked) -> SearchAnswer:
    answer = await asked.answer()
    tell(asked.request.scope, of_search(answer))
    return answer
