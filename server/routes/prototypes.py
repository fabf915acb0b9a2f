"""Synthetic pictures: drawn on demand, and served from the cache."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Depends, Request, Response

from coin_retrieval.errors import NotFoundError
from coin_retrieval.presenting.answer import DrawingAnswer
from coin_retrieval.progress import Progress
from coin_retrieval.prototypes.prototype import Drawing
from coin_retrieval.prototypes.shared import drawing_for
from coin_retrieval.search.retriever import Retriever
from server.asking import caller_of
from server.services import RetrieverHere, ServicesHere, json_only
from server.wire.pictures import ServedPicture, quoted, tags_known
from server.wire.schemas import GenerateRequest, generate_answer

router = APIRouter(prefix="/v1", tags=["prototypes"])


@router.post(
    "/generate",
    summary="Draw a report",
    dependencies=[Depends(json_only)],
)
async def generate(
    asked: GenerateRequest, request: Request, retriever: RetrieverHere, parts: ServicesHere
) -> DrawingAnswer:
    """Draw synthetic pictures of a report without searching; never a patient's cells."""

    def draw(on: Progress) -> Drawing:
        return retriever.draw(asked.report, n=asked.n, seed=asked.seed, on=on)

    with drawing_for(caller_of(request)):
        drawing = await parts.queues.drawing.run_stoppable(
            request, draw, patience_s=parts.limits.drawing_s
        )
    return generate_answer(drawing)


@router.get(
    "/prototypes/{prototype_id}.png",
    summary="A synthetic picture",
    response_class=Response,
    responses={
        200: {"content": {"image/png": {}}, "description": "PNG, marked synthetic"},
    },
)
async def prototype(
    prototype_id: str, request: Request, retriever: RetrieverHere, parts: ServicesHere
) -> Response:
    """A prototype that a search or generate answered. Its PNG metadata says how it was made.

    Its name is a keyed hash, as is what the metadata has in the report's place.
    """
    read = partial(_read, retriever, prototype_id, tags_known(request))
    return (await parts.queues.pictures.run(request, read)).response()


def _read(retriever: Retriever, prototype_id: str, known: frozenset[str]) -> ServedPicture:
    found = retriever.cache.find(prototype_id)
    try:
        data = None if quoted(prototype_id) in known else found.read_bytes()
    except OSError as error:
        raise NotFoundError(
            "the prototype has left the cache", value=prototype_id, remedy="generate it again"
        ) from error
    return ServedPicture(data, media_type="image/png", etag=prototype_id)
