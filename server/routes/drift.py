"""Whether what is asked moves away from what the archive holds."""

from __future__ import annotations

from fastapi import APIRouter, Request

from coin_retrieval.errors import UnsupportedError
from coin_retrieval.presenting.views import DriftView
from server.services import ServicesHere

router = APIRouter(prefix="/v1", tags=["archive"])


@router.get("/drift", summary="Searches without a close match, week by week")
async def drift(request: Request, parts: ServicesHere) -> DriftView:
    """Share of searches without a close match, and mean closeness, from the audit log.

    A rising share says that what is asked has moved away from what the archive holds. 409 where no
    audit log is kept.
    """
    if parts.drift is None:
        raise UnsupportedError(
            "this server keeps no record of searches",
            expected="a server with an audit log",
            remedy="tell the operator: coin-serve --audit DIR keeps one",
        )
    return await parts.queues.pictures.run(request, parts.drift.view)
