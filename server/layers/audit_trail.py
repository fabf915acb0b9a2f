"""Writes who asked what kind of question, and what they were shown, before they are shown it."""

from __future__ import annotations

import logging
from typing import Any

from anyio.to_thread import run_sync
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from server.audit.chain import AuditLog
from server.audit.events import told
from server.layers.request_log import method_of, note, request_id, route_of
from server.wire.problems import ProblemResponse, problem

log = logging.getLogger("coin.server")


class AuditTrail:
    """ASGI layer: one record for each request of the API that is answered or refused.

    What cannot be recorded is not answered: else a full disk would be a way to look unseen.
    """

    def __init__(self, app: ASGIApp, *, log: AuditLog | None) -> None:
        self._app = app
        self._log = log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        audit = self._log
        if scope["type"] != "http" or audit is None or not _concerns(scope["path"]):
            await self._app(scope, receive, send)
            return
        withheld = False

        async def recorded(message: Message) -> None:
            nonlocal withheld
            if message["type"] == "http.response.start":
                try:
                    await write_down(scope, audit, message["status"])
                except OSError as error:
                    withheld = True
                    log.error("the audit log cannot be written: %s", error.strerror)
            if not withheld:
                await send(message)

        await self._app(scope, receive, recorded)
        if withheld:
            note(scope, "not_recorded")
            refused = problem(
                "not_recorded",
                "the server cannot record who asks, so it does not answer",
                status=503,
                expected="an audit log that can be written",
                remedy="tell the operator",
            )
            await ProblemResponse(refused)(scope, receive, send)


def _concerns(path: str) -> bool:
    return "/v1/" in path or "/cds-services/" in path


async def write_down(scope: Scope, audit: AuditLog, status: int) -> None:
    """Write one record of a request and of what its endpoint told.

    Raises:
        OSError: it could not be written.
    """
    await run_sync(audit.append, _record(scope, audit, status))


def _record(scope: Scope, audit: AuditLog, status: int) -> dict[str, Any]:
    principal, event = scope.get("coin.principal"), told(scope)
    record: dict[str, Any] = {
        "what": f"{method_of(scope)} {route_of(scope)}",
        "status": status,
        "request": request_id(scope),
        "who": principal.name if principal is not None else "nobody",
    }
    if principal is not None:
        record["role"] = principal.role.value
    if event is not None:
        record |= event.facts()
        if event.private:
            record["query"] = audit.digest(event.private)
    return record
