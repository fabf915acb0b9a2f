"""The application: routes, layers, and what starts with it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI

from coin_retrieval.search.retriever import Retriever
from server.archive_view import ArchiveSummary
from server.error_answers import answer_errors
from server.layers.body_cap import BodyCap
from server.layers.request_log import RequestLog
from server.layers.security import SecurityHeaders
from server.limits import ServerLimits
from server.loading import Loading
from server.queues import Queues
from server.routes import archive, cases, health, images, page, prototypes, search
from server.services import Services

log = logging.getLogger("coin.server")

_DESCRIPTION = """
A cytology report becomes synthetic *prototype* pictures, and they find the nearest *real* cases of
an archive.

Reference and decision support. **Not a diagnosis.** Prototypes are synthetic and marked so; real
cases are pseudonymous. Every refusal has one shape: `{"error": {"kind", "problem", "value",
"expected", "remedy"}}`.
"""


def create_app(
    load: Callable[[], Retriever],
    *,
    limits: ServerLimits | None = None,
    on_failure: Callable[[Exception], None] | None = None,
) -> FastAPI:
    """A server that answers at once and can search as soon as ``load()`` has returned.

    Args:
        load: opens the archive and loads the models, in a thread of its own, once.
        limits: caps of this process.
        on_failure: told when loading failed; the default writes it to the log.
    """
    caps = limits or ServerLimits()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        loading = Loading(load, on_failure or _log_failure)
        parts = Services(caps, loading, Queues(caps), ArchiveSummary())
        app.state.services = parts
        loading.start()
        yield
        loading.close()

    app = FastAPI(
        title="COIN Retrieval",
        summary="Report text → synthetic prototype → nearest real cytology cases",
        description=_DESCRIPTION,
        version=version("coin-retrieval"),
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    for room in (search, prototypes, images, cases, archive, health, page):
        app.include_router(room.router)
    app.mount("/static", page.PageFiles(directory=page.STATIC), name="static")
    answer_errors(app)
    # the last added is the outermost
    app.add_middleware(BodyCap, limits=caps)
    app.add_middleware(RequestLog)
    app.add_middleware(SecurityHeaders)
    return app


def _log_failure(error: Exception) -> None:
    log.error("loading failed: %s: %s", type(error).__name__, error)
