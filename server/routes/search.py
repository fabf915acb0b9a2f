"""Questions: by report, and by picture."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, File, Form, Request, UploadFile
from pydantic import TypeAdapter, ValidationError

from coin_retrieval.errors import FilterError
from coin_retrieval.images import decode_image
from coin_retrieval.retrieval.answer import SearchAnswer
from coin_retrieval.retrieval.query import Query
from coin_retrieval.retrieval.retriever import Retriever
from coin_retrieval.types import SearchMode
from server.lanes import Lane
from server.limits import MAX_CASES
from server.refusals import refusals
from server.schemas import SearchRequest, WhereValue, search_answer, where_values
from server.services import RetrieverHere, Services, ServicesHere, form_only, json_only

router = APIRouter(prefix="/v1", tags=["search"])

_WHERE = TypeAdapter(dict[str, WhereValue])


@router.post(
    "/search",
    summary="Nearest real cases of a report",
    dependencies=[Depends(json_only)],
    responses=refusals(400, 409, 413, 415, 422, 503),
)
async def search(
    asked: SearchRequest, request: Request, retriever: RetrieverHere, parts: ServicesHere
) -> SearchAnswer:
    """Draw what the report describes, and find the real cases nearest to the drawings.

    The answer is the command line's (`coin search --json`), with URL paths instead of files. It is
    reference and decision support, not a diagnosis.
    """
    query = Query(
        report=asked.report,
        mode=asked.search_mode,
        k=asked.k,
        where=where_values(asked.where),
        prototypes=asked.prototypes,
        seed=asked.seed,
    )
    lane = _lane(query, retriever, parts)
    return search_answer(await lane.run(request, partial(retriever.search, query)))


@router.post(
    "/search/image",
    summary="Nearest real cases of a picture",
    dependencies=[Depends(form_only)],
    responses=refusals(400, 413, 415, 422, 503),
)
async def search_by_image(
    request: Request,
    retriever: RetrieverHere,
    parts: ServicesHere,
    image: Annotated[UploadFile, File(description="JPEG, PNG, TIFF, WebP, BMP or GIF")],
    k: Annotated[int, Form(ge=1, le=MAX_CASES, description="how many cases to find")] = 10,
    where: Annotated[
        str,
        Form(
            description="a JSON object as in POST /v1/search",
            examples=['{"site": "cervix"}'],
        ),
    ] = "{}",
) -> SearchAnswer:
    """Find the real cases nearest to a picture; nothing is drawn and nothing is kept."""
    data = await image.read()
    wanted = _read_where(where)

    def look() -> SearchAnswer:
        picture = decode_image(
            data, name="the uploaded picture", max_pixels=parts.limits.upload_pixels
        )
        return search_answer(retriever.search(Query(image=picture, k=k, where=wanted)))

    return await parts.lanes.search.run(request, look)


def _lane(query: Query, retriever: Retriever, parts: Services) -> Lane:
    """Only a search that draws waits with the drawings."""
    draws = retriever.draws and query.mode is not SearchMode.TEXT
    return parts.lanes.drawing if draws else parts.lanes.search


def _read_where(text: str) -> dict[str, list[str]]:
    try:
        return where_values(_WHERE.validate_json(text or "{}"))
    except ValidationError as error:
        raise FilterError(
            "the filter cannot be read",
            value=text,
            expected='a JSON object of field → value or list of values, such as {"site": "cervix"}',
            remedy="send the form field `where` as JSON, or leave it out",
        ) from error
