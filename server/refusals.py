"""The refusals of an endpoint, for its OpenAPI description."""

from __future__ import annotations

from typing import Any

from coin_retrieval.presenting.views import ErrorAnswer

_WHY = {
    400: "malformed, or a value out of range",
    404: "there is no such thing here, or it has gone",
    409: "this archive or server cannot do what was asked",
    413: "the request is too large",
    415: "another content type was expected",
    422: "a field, a report, a filter or a picture that cannot be used",
    503: "still loading, or the queue is full (Retry-After says when to ask again), or a fault",
}


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """OpenAPI responses, all of the one error shape."""
    return {status: {"model": ErrorAnswer, "description": _WHY[status]} for status in statuses}
