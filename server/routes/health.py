"""For whoever runs the server: is it alive, can it answer?"""

from __future__ import annotations

from importlib.metadata import version

from anyio.to_thread import run_sync
from fastapi import APIRouter, Response

from coin_retrieval.errors import CacheError
from coin_retrieval.presenting.views import HealthView, ReadyView
from coin_retrieval.prototypes.cache import PrototypeCache
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
    """200 once the archive and the models are loaded and warm; 503 before, or if they cannot be.

    `problems` are such as leave it able to answer, but not as it should: a published version that
    cannot be served, a cache that cannot be written.
    """
    state = parts.loading.state
    if state != "ready":
        response.status_code = 503
        response.headers["Retry-After"] = "2"
        return ReadyView(status=state, elapsed_s=round(parts.loading.elapsed_s, 1))
    with parts.loading.lease() as retriever:
        found = (
            parts.loading.archive_problem and f"archive: {parts.loading.archive_problem}",
            await run_sync(_cache_problem, retriever.cache),
        )
        return ReadyView(
            status=state,
            elapsed_s=round(parts.loading.elapsed_s, 1),
            version=retriever.archive.version,
            problems=[problem for problem in found if problem],
        )


def _cache_problem(cache: PrototypeCache) -> str:
    try:
        cache.require_writable()
    except CacheError as error:
        return f"cache: {error.problem}"
    return ""
