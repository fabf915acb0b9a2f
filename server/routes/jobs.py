"""Questions that are answered later."""

from __future__ import annotations

from contextlib import ExitStack

from fastapi import APIRouter, Request, Response

from coin_retrieval.presenting.views import JobView
from coin_retrieval.search.query import Query
from server.access.principals import principal_of
from server.asking import Asked, caller_of
from server.audit.events import tell
from server.jobs import Job
from server.services import JSON_ONLY, ServicesHere

router = APIRouter(prefix="/v1/jobs", tags=["search"])


@router.post(
    "", summary="Ask now, fetch the answer later", status_code=202,
    dependencies=[JSON_ONLY],
)  # fmt: skip
async def begin(asked: Query, request: Request, response: Response, parts: ServicesHere) -> JobView:
    """Take the question of POST /v1/search and answer at once with a job to look at.

    What can be refused at once is refused as usual. An ended job is kept for ten minutes, in
    memory, for who asked alone.
    """
    job = Job(principal_of(request.scope))
    # it lasts longer than the request, and so does its lease
    with ExitStack() as lease:
        retriever = lease.enter_context(parts.loading.lease())
        question = Asked(asked, None, job, caller_of(request), retriever, parts)
        parts.jobs.begin(job, question, await question.plan(), lease)
    response.headers["Location"] = request.url_for("look", job_id=job.id).path
    return job.view()


@router.get("/{job_id}", summary="How far a job is, and its answer")
async def look(job_id: str, request: Request, parts: ServicesHere) -> JobView:
    """The job of this id. Look every second or two: it costs a request, no question."""
    job = parts.jobs.find(job_id, principal_of(request.scope))
    event = job.shown()
    if event is not None:
        tell(request.scope, event)
    return job.view()


@router.delete("/{job_id}", summary="Cancel a job, or drop its answer", status_code=204)
async def cancel(job_id: str, request: Request, parts: ServicesHere) -> None:
    """Stop at the next step, and forget the question and its answer."""
    parts.jobs.forget(parts.jobs.find(job_id, principal_of(request.scope)))
