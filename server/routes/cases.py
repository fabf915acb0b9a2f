"""Cases of the archive."""

from __future__ import annotations

from fastapi import APIRouter

from coin_retrieval.archive import Archive
from coin_retrieval.presenting.views import CaseView
from server.asking import AskingHere
from server.wire.schemas import case_view

router = APIRouter(prefix="/v1", tags=["archive"])


@router.get(
    "/cases/{case_id:path}",
    summary="A case with all its pictures",
)
async def case(case_id: str, asking: AskingHere) -> CaseView:
    """The record of a case and of every picture it has, found or not."""

    def read(archive: Archive) -> CaseView:
        images = archive.catalog.case_images(case_id)
        return case_view(archive.catalog.cases([case_id])[case_id], images)

    return await asking.read(read, cases=(case_id,))
