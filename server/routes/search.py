"""Questions: by report, by picture, and by both."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, File, Request, UploadFile

from coin_retrieval.images import decode_image
from coin_retrieval.presenting.answer import SearchAnswer
from coin_retrieval.search.query import Query
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.types import SearchMode
from server.questions import picture_query, report_query
from server.queues import Lane
from server.refusals import refusals
from server.schemas import SearchRequest, search_answer
from server.services import RetrieverHere, Services, ServicesHere, form_only, json_only

router = APIRouter(prefix="/v1", tags=["search"])

_DRAWN = (SearchMode.PROTOTYPE, SearchMode.FUSED)


@router.post(
    "/search",
    summary="Nearest real cases of a report",
    dependencies=[Depends(json_only)],
    responses=refusals(400, 404, 409, 413, 415, 422, 503),
)
async def search(
    asked: SearchRequest, request: Request, retriever: RetrieverHere, parts: ServicesHere
) -> SearchAnswer:
    """Draw what the report describes, and find the real cases nearest to the drawings.

    The answer is the command line's (`coin search --json`), with URL paths instead of files. It is
    reference and decision support, not a diagnosis: `support` has the diagnoses of the nearest
    cases with their intervals, and says when no case is close. To ask again after a look at the
    cases, send the same question with `liked` and `disliked`.
    """
    query = report_query(asked)
    look = partial(_search, query, retriever, parts)
    return await _lane(query, retriever, parts).run(request, look)


@router.post(
    "/search/image",
    summary="Nearest real cases of a picture",
    dependencies=[Depends(form_only)],
    responses=refusals(400, 404, 409, 413, 415, 422, 503),
)
async def search_by_image(
    request: Request,
    retriever: RetrieverHere,
    parts: ServicesHere,
    image: Annotated[UploadFile, File(description="JPEG, PNG, TIFF, WebP, BMP or GIF")],
    query: Annotated[Query, Depends(picture_query)],
) -> SearchAnswer:
    """Find the real cases nearest to a picture, alone or together with a report.

    Without a report nothing is drawn. The picture is searched with and forgotten.
    """
    data = await image.read()

    def look() -> SearchAnswer:
        picture = decode_image(
            data, name="the uploaded picture", max_pixels=parts.limits.upload_pixels
        )
        return _search(replace(query, image=picture), retriever, parts)

    return await _lane(query, retriever, parts).run(request, look)


def _search(query: Query, retriever: Retriever, parts: Services) -> SearchAnswer:
    return search_answer(retriever.search(query), sites=parts.facts.sites(retriever))


def _lane(query: Query, retriever: Retriever, parts: Services) -> Lane:
    """Only a search that draws waits with the drawings."""
    of_report = bool(query.report) and retriever.mode_of(query) in _DRAWN
    # what is not looked for is drawn too where the encoder reads no text
    of_unlike = bool(query.unlike) and not retriever.reads_text
    draws = retriever.draws and (of_report or of_unlike)
    return parts.lanes.drawing if draws else parts.lanes.search
