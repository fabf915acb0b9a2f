"""A question that is a FHIR DiagnosticReport."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from coin_retrieval.limits import DEFAULT_CASES, MAX_CASES
from coin_retrieval.presenting.answer import SearchAnswer
from coin_retrieval.reports.intake.fhir import FhirReading, read_diagnostic_report
from coin_retrieval.search.query import Query as Question
from server.asking import AskingHere
from server.services import FHIR_JSON, FHIR_ONLY

router = APIRouter(prefix="/v1", tags=["search"])


@router.post(
    "/search/fhir",
    summary="Nearest real cases of a FHIR report",
    dependencies=[FHIR_ONLY],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {FHIR_JSON: {"schema": {"type": "object", "title": "DiagnosticReport"}}},
        }
    },
)
async def search_fhir(
    asking: AskingHere,
    k: Annotated[int, Query(ge=1, le=MAX_CASES)] = DEFAULT_CASES,
) -> SearchAnswer:
    """Search by a DiagnosticReport (R4 or R5, JSON) as POST /v1/search does by its text.

    Read are its conclusion, what is attached (plain text, HTML, PDF), contained Observations and
    Specimen; the narrative only where there is nothing else. Names, numbers, addresses and dates of
    birth are removed before anything is searched, drawn or kept, and the answer's notices say how
    many. Nothing is fetched: references and URLs stay where they are.
    """
    body = await asking.request.body()
    found = await asking.parts.queues.search.run(
        asking.request, lambda: read_diagnostic_report(body)
    )
    answer = await asking.answer(Question.of(report=found.reading.report.text, k=k))
    return answer.model_copy(update={"notices": [*answer.notices, *notices_of(found)]})


def notices_of(found: FhirReading) -> list[str]:
    """What a reader has to know of how a resource was read."""
    notices = []
    if found.removed:
        notices.append(
            f"{found.removed} personal details (names, numbers, addresses, dates) were removed "
            "from the report before it was searched"
        )
    if found.narrative:
        notices.append("the report had only its narrative, so that was searched")
    notices += [f"an attachment could not be read ({which})" for which in found.unread]
    return notices
