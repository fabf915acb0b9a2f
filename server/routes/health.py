"""For whoever runs the server: is it alive, can it answer?"""

from __future__ import annotations

from importlib.metadata import version

from anyio.to_thread import run_sync
from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from coin_retrieval.errors import CacheError
from coin_retrieval.presenting.views import HealthView, ReadyView
from coin_retrieval.prototypes.cache import PrototypeCache
from server.services import Services, ServicesHere

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
    ready = await _state(parts)
    if ready.status != "ready":
        response.status_code = 503
        response.headers["Retry-After"] = "2"
    return ready


@router.get("/metrics", summary="Figures for a monitor", response_class=PlainTextResponse)
async def metrics(parts: ServicesHere) -> PlainTextResponse:
    """Counts and times in Prometheus' text format. On a server with accounts, for admins."""
    ready = await _state(parts)
    parts.metrics.state(version=ready.version, problems=ready.problems)
    return PlainTextResponse(parts.metrics.text(), media_type=CONTENT_TYPE_LATEST)


async def _state(parts: Services) -> ReadyView:
    state, elapsed_s = parts.loading.state, round(parts.loading.elapsed_s, 1)
    if state != "ready":
        return ReadyView(status=state, elapsed_s=elapsed_s)
    with parts.loading.lease() as retriever:
        found = (
            parts.loading.archive_problem and f"archive: {parts.loading.archive_problem}",
            await run_sync(_cache_problem, retriever.cache),
        )
        return ReadyView(
            status=state,
            elapsed_s=elapsed_s,
            version=retriever.archive.version,
            problems=[problem for problem in found if problem],
        )


def _cache_problem(cache: PrototypeCache) -> str:
    try:
        cache.require_writable()
    except CacheError as error:
        return f"cache: {error.problem}"
    return ""
