"""What the OpenAPI description says of every endpoint: its refusals, and who may ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fastapi import FastAPI

from coin_retrieval.presenting.views import Problem
from server.wire.problems import MEDIA_TYPE

_WHY = {
    400: "malformed, or a value out of range",
    401: "nobody knows who asks",
    403: "who asks may not, or another site's page asks",
    404: "there is no such thing here, or it has gone",
    409: "this archive or server cannot do what was asked",
    413: "the request is too large",
    415: "another content type was expected",
    422: "a field, a report, a filter or a picture that cannot be used",
    429: "too often; Retry-After says when to ask again",
    503: "still loading, or the queue is full (Retry-After says when to ask again), or a fault",
}
_ALWAYS = (401, 403, 429, 503)
_OF_BODIES = (400, 413, 415, 422)
_OF_NAMES = (404, 422)
_PROBES = ("/healthz", "/readyz")
_SECURITY = {
    "key": {"type": "http", "scheme": "bearer", "description": "an API key or an access token"},
    "login": {"type": "apiKey", "in": "cookie", "name": "coin_session"},
}


def describe(app: FastAPI, *, is_open: Callable[[str], bool]) -> None:
    """Add to the description of each endpoint the refusals that it can answer with, and whether it
    wants to know who asks.
    """
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            told = plain()
            told["components"]["securitySchemes"] = _SECURITY
            schemas = told["components"]["schemas"]
            schemas[Problem.__name__] = Problem.model_json_schema()
            for name in ("HTTPValidationError", "ValidationError"):
                schemas.pop(name, None)
            for path, methods in told["paths"].items():
                for operation in methods.values():
                    if not is_open(path):
                        operation["security"] = [{name: []} for name in _SECURITY]
                    answers = operation["responses"]
                    answers |= {str(s): _refusal(s) for s in _statuses(path, operation)}
        return plain()

    app.openapi = described  # type: ignore[method-assign]


def _statuses(path: str, operation: dict[str, Any]) -> Iterator[int]:
    if path in _PROBES:
        return
    yield from _ALWAYS
    if "requestBody" in operation:
        yield from _OF_BODIES
        # a question names cases, and asks for powers that the archive may lack
        yield from (404, 409)
    if "parameters" in operation:
        yield from _OF_NAMES
    if "/session" in path:
        yield 404


def _refusal(status: int) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {"description": _WHY[status], "content": {MEDIA_TYPE: {"schema": schema}}}
