"""The archive as a whole."""

from __future__ import annotations

from functools import partial

from fastapi import APIRouter, Request

from coin_retrieval.presenting.views import ArchiveView
from server.services import RetrieverHere, ServicesHere

router = APIRouter(prefix="/v1", tags=["archive"])


@router.get("/archive", summary="What the archive holds")
async def archive(request: Request, retriever: RetrieverHere, parts: ServicesHere) -> ArchiveView:
    """Counts, encoder, generator, modes, and the fields and values that `where` can name."""
    return await parts.queues.pictures.run(request, partial(parts.archive.view, retriever))
