"""What every endpoint asks for: the retriever, if it is there, and the queues of work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, cast

from fastapi import Depends, Request

from coin_retrieval.search.retriever import Retriever
from coin_retrieval.study.store import StudyStore
from server.access.accounts import Accounts
from server.archive_view import ArchiveSummary
from server.audit.chain import AuditLog
from server.audit.drift import Drift
from server.cds.clients import CdsClients
from server.jobs import Jobs
from server.limits import ServerLimits
from server.loading import Loading
from server.metrics import Metrics
from server.queues import Queues
from server.wire.errors import MediaTypeError

FHIR_JSON = "application/fhir+json"


@dataclass(frozen=True)
class Services:
    """One server's parts, made when it starts."""

    limits: ServerLimits
    loading: Loading
    queues: Queues
    archive: ArchiveSummary
    accounts: Accounts | None
    metrics: Metrics
    audit: AuditLog | None
    cds: CdsClients | None
    jobs: Jobs
    drift: Drift | None
    study: StudyStore | None = None


async def services(request: Request) -> Services:
    """The parts of the server that got this request."""
    return cast(Services, request.app.state.services)


async def ready_retriever(
    parts: Annotated[Services, Depends(services)],
) -> AsyncIterator[Retriever]:
    """The retriever, or a 503 that says when to ask again."""
    with parts.loading.lease() as retriever:
        yield retriever


def _only(expected: str) -> Any:
    """Refuses a body that calls itself otherwise."""

    async def require(request: Request) -> None:
        given = request.headers.get("content-type", "")
        if given.split(";")[0].strip().lower() != expected:
            raise MediaTypeError(
                "the body is of another content type",
                value=given or None,
                expected=expected,
                remedy=f"send the header Content-Type: {expected}",
            )

    return Depends(require)


JSON_ONLY, FHIR_ONLY = _only("application/json"), _only(FHIR_JSON)
FORM_ONLY = _only("multipart/form-data")
ServicesHere = Annotated[Services, Depends(services)]
RetrieverHere = Annotated[Retriever, Depends(ready_retriever)]
