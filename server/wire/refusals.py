"""The refusals of an endpoint, for its OpenAPI description."""

from __future__ import annotations

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
_SCHEMA = {"$ref": f"#/components/schemas/{Problem.__name__}"}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses, all of the one shape of refusals."""
    return {status: {"model": Problem, "description": _WHY[status]} for status in statuses}


def describe_refusals(app: FastAPI) -> None:
    """Have the description name the refusals' media type: FastAPI takes all models for JSON."""
    plain = app.openapi

    def described() -> dict[str, Any]:
        if app.openapi_schema is None:
            for methods in plain()["paths"].values():
                for operation in methods.values():
                    for answer in operation["responses"].values():
                        content = answer.get("content", {})
                        if content.get("application/json", {}).get("schema") == _SCHEMA:
                            content[MEDIA_TYPE] = content.pop("application/json")
        return plain()

    app.openapi = described  # type: ignore[method-assign]
