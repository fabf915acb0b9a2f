"""For whoever runs the server: is it alive, can it answer?"""

from __future__ import annotations

from importlib.metadata import version

from fastapi import APIRouter, Response

from coin_retrieval.presenting.views import HealthView, ReadyView
from server.services import ServicesHere

router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> HealthView:
    """Always ok while the process answers."""
    return HealthView(status="ok", version=version("coin-retrieval"))


@router.get(
    "/readyz",
    summary="Can it answer questions?",
    responses={503: {"model": ReadyView, "description": "loading, or failed for good"}},
)
async def readyz(parts: ServicesHere, response: Response) -> ReadyView:
    """200 once the archive and the models are loaded and warm; 503 before, or if they cannot be."""
    state = parts.loading.state
    if state != "ready":
        response.status_code = 503
        response.headers["Retry-After"] = "2"
    return ReadyView(status=state, elapsed_s=round(parts.loading.elapsed_s, 1))
