"""Questions: by report, by picture, by both, and by a layout of nuclei."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form

from coin_retrieval.presenting.answer import SearchAnswer
from coin_retrieval.search.query import Query
from server.asking import AskingHere
from server.making import by_layout, by_translation
from server.services import FORM_ONLY, JSON_ONLY
from server.wire.questions import LayoutQuery, PictureQuery

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
    picture is searched with and forgotten, and so are they. With `translate` it is translated
    first, as from histology to the archive's cytology, and `searched_with` shows what was
    searched with: a synthetic picture, kept nowhere.
    """
    if asked.translate:
        return await by_translation(asking, asked)
    return await asking.answer(asked.plain(), asked.image)


@router.post("/search/layout", summary="Nearest real cases of nuclei", dependencies=[JSON_ONLY])
async def search_by_layout(asked: LayoutQuery, asking: AskingHere) -> SearchAnswer:
    """Draw a picture whose nuclei lie as asked, and find the real cases nearest to it.

    Of a few drawings the one that obeys the layout most is searched with: `searched_with` has it,
    marked synthetic, with what can be counted in it. 409 where this server draws no layouts; GET
    /v1/archive says so, and which kinds of nuclei there are (`layouts`).
    """
    return await by_layout(asking, asked)
