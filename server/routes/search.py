"""Questions: by report, by picture, and by both."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form

from coin_retrieval.presenting.answer import SearchAnswer
from coin_retrieval.search.query import Query
from server.asking import AskingHere
from server.services import FORM_ONLY, JSON_ONLY
from server.wire.questions import PictureQuery

router = APIRouter(prefix="/v1", tags=["search"])


@router.post("/search", summary="Nearest real cases of a report", dependencies=[JSON_ONLY])
async def search(asked: Query, asking: AskingHere) -> SearchAnswer:
    """Draw what the report describes, and find the real cases nearest to the drawings.

    The answer is the command line's (`coin search --json`), with URL paths instead of files. It is
    reference and decision support, not a diagnosis: `support` has the diagnoses of the nearest
    cases with their intervals, and says when no case is close. `plan` has every decision of the
    search. To ask again after a look at the cases, send the same question with `liked` and
    `disliked`.

    POST /v1/search/stream answers the same question step by step, POST /v1/jobs later.
    """
    return await asking.answer(asked)


@router.post("/search/image", summary="Nearest real cases of a picture", dependencies=[FORM_ONLY])
async def search_by_image(
    asked: Annotated[PictureQuery, Form(media_type="multipart/form-data")], asking: AskingHere
) -> SearchAnswer:
    """Find the real cases nearest to a picture, alone or together with a report.

    Without a report nothing is drawn, unless `variations` of the picture are asked for. The
    picture is searched with and forgotten, and so are they.
    """
    return await asking.answer(asked.plain(), asked.image)
