"""Synthetic pictures: drawn on demand, and served from the cache."""

from __future__ import annotations

from fastapi import APIRouter, Response

from coin_retrieval.errors import NotFoundError
from coin_retrieval.presenting.answer import DrawingAnswer
from coin_retrieval.progress import Progress
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.prototypes.prototype import Drawing
from coin_retrieval.prototypes.shared import drawing_for
from server.asking import AskingHere, caller_of
from server.services import JSON_ONLY
from server.wire.pictures import ServedPicture, quoted, tags_known
from server.wire.schemas import GenerateRequest, generate_answer

router = APIRouter(prefix="/v1", tags=["prototypes"])


@router.post(
    "/generate",
    summary="Draw a report",
    dependencies=[JSON_ONLY],
)
async def generate(asked: GenerateRequest, asking: AskingHere) -> DrawingAnswer:
    """Draw synthetic pictures of a report without searching; never a patient's cells."""

    def draw(on: Progress) -> Drawing:
        return asking.retriever.draw(asked.report, n=asked.n, seed=asked.seed, on=on)

    parts = asking.parts
    with drawing_for(caller_of(asking.request)):
        drawing = await parts.queues.drawing.run_stoppable(
            asking.request, draw, patience_s=parts.limits.drawing_s
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
async def prototype(prototype_id: str, asking: AskingHere) -> Response:
    """A prototype that a search or generate answered. Its PNG metadata says how it was made.

    Its name is a keyed hash, as is what the metadata has in the report's place.
    """
    cache, known = asking.retriever.cache, tags_known(asking.request)
    return (await asking.read(lambda _: _read(cache, prototype_id, known))).response()


def _read(cache: PrototypeCache, prototype_id: str, known: frozenset[str]) -> ServedPicture:
    found = cache.find(prototype_id)
    try:
        data = None if quoted(prototype_id) in known else found.read_bytes()
    except OSError as error:
        raise NotFoundError(
            "the prototype has left the cache", value=prototype_id, remedy="generate it again"
        ) from error
    return ServedPicture(data, media_type="image/png", etag=prototype_id)
