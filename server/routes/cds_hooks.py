"""CDS Hooks: cards for the chart that is open, and what became of them."""

from __future__ import annotations

import uuid

from anyio.to_thread import run_sync
from fastapi import APIRouter, Depends, Request

from coin_retrieval.errors import NotFoundError, ReportError
from coin_retrieval.presenting.answer import SearchAnswer, SupportAnswer
from coin_retrieval.reports.intake.fhir import read_diagnostic_report
from coin_retrieval.search.query import Query as Question
from server.access.principals import LOCAL
from server.asking import AskingHere
from server.cds.models import SERVICE, Card, Cards, Feedback, HookRequest, Link, Services, Source
from server.services import JSON_ONLY, ServicesHere
from server.wire.errors import UnauthenticatedError

router = APIRouter(prefix="/cds-services", tags=["cds-hooks"])

_NO_CARDS = Cards(cards=())


async def trusted(request: Request, parts: ServicesHere) -> None:
    """Let in the systems that the operator named; without accounts and such, everybody."""
    clients = parts.cds
    if clients is None:
        if parts.accounts is not None:
            raise NotFoundError("this server has no CDS clients", expected="--cds-clients FILE")
        request.scope["coin.principal"] = LOCAL
        return
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer":
        raise UnauthenticatedError(
            "nobody knows who calls",
            expected="Authorization: Bearer and a token that the calling system signed",
            remedy="see CDS Hooks 2.0, trusting CDS clients",
        )
    called = str(request.url.replace(query="", fragment=""))
    request.scope["coin.principal"] = await run_sync(
        lambda: clients.principal(token.strip(), audience=called)
    )


@router.get("", summary="What is offered to health records")
async def discover() -> Services:
    """The services, as CDS Hooks has them: discovery asks for no token."""
    return Services()


@router.post(
    f"/{SERVICE}",
    summary="A card with similar cases",
    dependencies=[JSON_ONLY, Depends(trusted)],
)
async def similar(asked: HookRequest, asking: AskingHere) -> Cards:
    """One card of the newest cytology report that was prefetched; none without a usable report.

    The report is read without the patient, and searched as POST /v1/search/fhir does.
    """
    resource = asked.report
    if resource is None:
        return _NO_CARDS
    try:
        found = await run_sync(read_diagnostic_report, resource)
    except ReportError:
        return _NO_CARDS
    answer = await asking.answer(Question.of(report=found.reading.report.text))
    return Cards(cards=(_card(answer, str(asking.request.base_url)),))


@router.post(
    f"/{SERVICE}/feedback",
    summary="What became of cards",
    dependencies=[JSON_ONLY, Depends(trusted)],
)
async def feedback(told: Feedback, request: Request, parts: ServicesHere) -> dict[str, int]:
    """Keep outcomes and coded reasons in the audit log, for calibration; comments are not read."""
    for one in told.feedback:
        reason = one.overrideReason.reason if one.overrideReason else None
        parts.metrics.card(one.outcome, reason.code if reason else "")
        if parts.audit is not None:
            record = {
                "what": "card",
                "card": str(one.card),
                "outcome": one.outcome,
                "reason": reason.code if reason else "",
                "told": one.outcomeTimestamp.isoformat(),
                "who": request.scope["coin.principal"].name,
            }
            await run_sync(parts.audit.append, record)
    return {"kept": len(told.feedback)}


def _card(answer: SearchAnswer, page: str) -> Card:
    support = answer.support
    if not answer.cases or support is None:
        summary = "No similar reference case was found"
    elif answer.closeness.verdict == "no":
        summary = "No reference case is close to what the report describes"
    else:
        summary = f"{len(answer.cases)} similar reference cases"
    said = [sentence.text for sentence in answer.summary]
    if support is not None:
        said += [*_shares(support), support.caution]
    return Card(
        uuid=str(uuid.uuid4()),
        summary=summary,
        detail="\n".join(said),
        source=Source(label="COIN Retrieval: reference and decision support, not a diagnosis"),
        links=(Link(label="Search the reference cases", url=page),),
    )


def _shares(support: SupportAnswer) -> list[str]:
    return [
        f"- {share.diagnosis or 'no diagnosis'}: {share.count} of {support.counted}"
        for share in support.shares[:5]
    ]
