"""Cases of the archive."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request

from coin_retrieval.archive import Archive
from coin_retrieval.presenting.views import CaseView
from server.audit.events import Event, tell
from server.services import RetrieverHere, ServicesHere
from server.wire.schemas import case_view

router = APIRouter(prefix="/v1", tags=["archive"])


@router.get(
    "/cases/{case_id:path}",
    summary="A case with all its pictures",
)
async def case(
    case_id: str, request: Request, retriever: RetrieverHere, parts: ServicesHere
) -> CaseView:
    """The record of a case and of every picture it has, found or not."""
    found = await parts.queues.pictures.run(request, partial(_read, retriever.archive, case_id))
    tell(request.scope, Event(retriever.archive.version, cases=(case_id,)))
    return found


def _read(archive: Archive, case_id: str) -> CaseView:
    images = archive.catalog.case_images(case_id)
    return case_view(archive.catalog.cases([case_id])[case_id], images)
