"""A reader study: the next blinded picture, answers, and what it all was when it is over."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from coin_retrieval.errors import NotFoundError
from coin_retrieval.study.models import Answer, ReaderView
from coin_retrieval.study.store import StudyStore
from server.services import JSON_ONLY, ServicesHere
from server.wire.pictures import ServedPicture

router = APIRouter(prefix="/v1/study", tags=["study"])

Token = Annotated[
    str, Header(alias="X-Study-Reader", max_length=100, description="of the reader's link")
]


@router.get("", summary="Where a reader stands")
async def view(request: Request, parts: ServicesHere, token: Token = "") -> ReaderView:
    """The picture that is to be read now; the washout; or, after the last one, the results."""
    study = _study(parts.study)
    return await parts.queues.pictures.run(request, lambda: study.view(study.reader_of(token)))


@router.post(
    "/answers",
    summary="Answer a reading",
    dependencies=[JSON_ONLY],
)
async def answer(
    given: Answer, request: Request, parts: ServicesHere, token: Token = ""
) -> ReaderView:
    """Keep an answer for good; returns where the reader stands then."""
    study = _study(parts.study)
    return await parts.queues.pictures.run(
        request, lambda: study.answer(study.reader_of(token), given)
    )


@router.get(
    "/pictures/{name}",
    summary="A picture of the study",
    response_class=Response,
    responses={
        200: {"content": {"image/jpeg": {}}, "description": "blinded: no metadata, one size"},
    },
)
async def picture(name: str, request: Request, parts: ServicesHere, token: Token = "") -> Response:
    """A blinded picture, for readers of the study only."""
    study = _study(parts.study)
    data = await parts.queues.pictures.run(request, partial(_picture, study, token, name))
    return ServedPicture(data, "image/jpeg", name).response()


def _picture(study: StudyStore, token: str, name: str) -> bytes:
    study.reader_of(token)
    return study.picture(name)


def _study(store: StudyStore | None) -> StudyStore:
    if store is None:
        raise NotFoundError(
            "this server runs no study", expected="one that was started with --study"
        )
    return store
