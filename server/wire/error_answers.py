"""Turns whatever an endpoint raises into the one error shape."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from coin_retrieval.errors import CoinError
from server.layers.body_cap import BodySignal
from server.layers.request_log import note
from server.wire.errors import RequestError, kind_of, status_of
from server.wire.problems import ProblemResponse, problem, refusal

_HTTP_KINDS = {
    400: ("malformed", "send well-formed JSON, or multipart form data, as /docs shows"),
    404: ("not_found", "see /docs for the paths that exist"),
    405: ("method_not_allowed", "see /docs for the method of this path"),
}


def answer_errors(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(CoinError, _coin_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)


async def _coin_error(request: Request, error: Exception) -> ProblemResponse:
    if not isinstance(error, CoinError):
        raise TypeError(f"handler called for {type(error).__name__}")
    status = status_of(error)
    # the text of an input error can quote the report; that of a fault cannot, and is needed
    server_fault = status >= 500 and not isinstance(error, RequestError)
    note(request.scope, kind_of(error), str(error) if server_fault else "")
    return refusal(error)


async def _invalid(request: Request, error: Exception) -> ProblemResponse:
    if not isinstance(error, RequestValidationError):
        raise TypeError(f"handler called for {type(error).__name__}")
    problems = list(error.errors())
    first = problems[0]
    malformed = first["type"] == "json_invalid"
    kind = "malformed" if malformed else "validation"
    note(request.scope, kind)
    return ProblemResponse(
        problem(
            kind,
            "; ".join(_described(found) for found in problems[:5]),
            status=400 if malformed else 422,
            value=None if malformed else _harmless(first),
            expected=str(first["msg"]),
            remedy="see /docs for this endpoint's fields, types and ranges",
        )
    )


def _described(found: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in found["loc"])
    return f"{where}: {found['msg']}"


def _harmless(found: dict[str, Any]) -> object:
    """The offending value, but not a whole body and never a report."""
    value = found.get("input")
    if isinstance(value, dict | bytes) or "report" in found["loc"]:
        return f"{type(value).__name__} of {len(value)}" if isinstance(value, str | bytes) else None
    return value


async def _http_error(request: Request, error: Exception) -> ProblemResponse:
    if not isinstance(error, HTTPException):
        raise TypeError(f"handler called for {type(error).__name__}")
    if isinstance(error, BodySignal):
        return await _coin_error(request, error.error)
    kind, remedy = _HTTP_KINDS.get(error.status_code, ("http", "see /docs"))
    note(request.scope, kind)
    headers, allow = dict(error.headers or {}), None
    value = request.url.path if error.status_code == 404 else None
    if error.status_code == 405:
        value = request.method
        # several routes may share an address, and each knows its own methods only
        path = getattr(request.scope.get("route"), "path_format", "")
        methods = request.app.openapi()["paths"].get(path)
        if methods:
            headers["Allow"] = ", ".join(sorted(methods)).upper()
        allow = headers.get("Allow")
    return ProblemResponse(
        problem(
            kind,
            str(error.detail),
            status=error.status_code,
            value=value,
            expected=allow,
            remedy=remedy,
        ),
        headers,
    )
