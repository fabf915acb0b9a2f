"""The application: routes, layers, and what starts with it."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from importlib.metadata import version

import anyio
from anyio.to_thread import run_sync
from fastapi import FastAPI

from coin_retrieval.search.retriever import Retriever
from coin_retrieval.study.store import StudyStore
from server.access.accounts import Accounts
from server.access.settings import AccessSettings
from server.archive_view import ArchiveSummary
from server.audit.chain import AuditLog
from server.audit.drift import Drift
from server.cds.clients import CdsClients
from server.jobs import Jobs
from server.layers.access import Access, is_open
from server.layers.audit_trail import AuditTrail
from server.layers.body_cap import BodyCap
from server.layers.cds_origins import CdsOrigins
from server.layers.head import Head
from server.layers.own_origin import LOOPBACK, OwnOrigin
from server.layers.request_log import RequestLog
from server.layers.security import SecurityHeaders
from server.limits import ServerLimits
from server.loading import Loading
from server.metrics import Metrics
from server.queues import Queues
from server.routes import (
    archive,
    cases,
    cds_hooks,
    drift,
    fhir,
    health,
    images,
    jobs,
    page,
    prototypes,
    search,
    session,
    slides,
    stream,
    study,
)
from server.services import Services
from server.wire.description import describe
from server.wire.error_answers import answer_errors

log = logging.getLogger("coin.server")
FLUSH_S = 1.0
"""Between two flushes of the audit log: a power cut loses no more, a killed process nothing."""

_DESCRIPTION = """
A cytology report becomes synthetic *prototype* pictures, and they find the nearest *real* cases of
an archive.

Reference and decision support. **Not a diagnosis.** Prototypes are synthetic and marked so; real
cases are pseudonymous. Every refusal has one shape, `application/problem+json` (RFC 9457) with
`kind`, `problem`, `value`, `expected` and `remedy` beside the standard's own fields.
"""


def create_app(
    load: Callable[[], Retriever],
    *,
    limits: ServerLimits | None = None,
    hosts: Collection[str] = LOOPBACK,
    access: AccessSettings | None = None,
    audit: AuditLog | None = None,
    cds: CdsClients | None = None,
    reader_study: StudyStore | None = None,
    on_failure: Callable[[Exception], None] | None = None,
) -> FastAPI:
    """A server that answers at once and can search as soon as ``load()`` has returned.

    Args:
        load: opens the archive and loads the models, in a thread of its own, once.
        limits: caps of this process.
        access: who may ask; the default lets everybody who reaches the server.
        cds: health records that may call CDS Hooks.
        reader_study: a study whose readers have links; the caller closes it.
        audit: what happened is written to it; the caller closes it.
        hosts: names under which it may be asked; the port does not matter.
        on_failure: told when loading failed; the default writes it to the log.
    """
    caps = limits or ServerLimits()
    metrics = Metrics()
    accounts = Accounts(access) if access is not None and access.asked else None

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        queues = Queues(caps)
        metrics.watch(queues)
        loading = Loading(load, on_failure or _log_failure, look_every_s=caps.look_every_s)
        async with anyio.create_task_group() as group:
            jobs = Jobs(group, caps)
            app.state.services = Services(
                caps, loading, queues, ArchiveSummary(), accounts, metrics, audit, cds, jobs,
                drift=None if audit is None else Drift(audit.folder), study=reader_study,
            )  # fmt: skip
            loading.start()
            if audit is not None:
                group.start_soon(_flush_now_and_then, audit)
            yield
            jobs.close()
            group.cancel_scope.cancel()
        queues.close()
        loading.close()

    app = FastAPI(
        title="COIN Retrieval",
        summary="Report text → synthetic prototype → nearest real cytology cases",
        description=_DESCRIPTION,
        version=version("coin-retrieval"),
        docs_url=None,
        redoc_url=None,
        # a redirect would repeat the Host that a client named
        redirect_slashes=False,
        lifespan=lifespan,
    )
    for room in (
        search, stream, jobs, fhir, cds_hooks, prototypes, images, slides, cases, archive, drift,
        session, health, page, study,
    ):  # fmt: skip
        app.include_router(room.router)
    app.mount("/static", page.PageFiles(directory=page.STATIC), name="static")
    answer_errors(app)
    describe(app, is_open=lambda path: accounts is None or is_open(path))
    # the last added is the outermost
    app.add_middleware(BodyCap, limits=caps)
    app.add_middleware(Access, accounts=accounts)
    app.add_middleware(AuditTrail, log=audit)
    app.add_middleware(OwnOrigin, hosts=hosts)
    if cds is not None and cds.origins:
        app.add_middleware(CdsOrigins, origins=cds.origins)
    app.add_middleware(RequestLog, metrics=metrics)
    app.add_middleware(SecurityHeaders)
    app.add_middleware(Head)
    return app


async def _flush_now_and_then(audit: AuditLog) -> None:
    while True:
        await anyio.sleep(FLUSH_S)
        await run_sync(audit.flush)


def _log_failure(error: Exception) -> None:
    log.error("loading failed: %s: %s", type(error).__name__, error)
