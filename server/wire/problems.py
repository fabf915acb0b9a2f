"""Every refusal as one JSON shape: problem details (RFC 9457), and this project's own fields."""

from __future__ import annotations

import math
from collections.abc import Mapping

from starlette.responses import JSONResponse

from coin_retrieval import errors as coin
from coin_retrieval.errors import CoinError
from server.wire.errors import RequestError, kind_of, status_of

MEDIA_TYPE = "application/problem+json"
SHOWN_CHARACTERS = 120

_OURS = (
    coin.SettingsError,
    coin.CaseTableError,
    coin.ArchiveError,
    coin.WeightsError,
    coin.LoraError,
    coin.MissingDependencyError,
)
"""Faults of the installation, such as a cache that cannot be written: no client causes them, and
their texts name the server's files, which stay on the server."""


class ProblemResponse(JSONResponse):
    """An answer that refuses; its status is the problem's own."""

    media_type = MEDIA_TYPE

    def __init__(
        self, told: Mapping[str, object], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(dict(told), int(str(told["status"])), headers)


def refusal(error: CoinError) -> ProblemResponse:
    """The answer that refuses with an error, and the headers that belong to it."""
    headers = error.headers if isinstance(error, RequestError) else None
    return ProblemResponse(problem_of(error), headers)


def problem_of(error: CoinError) -> dict[str, object]:
    """The problem of an error; what names the server's own files is left out."""
    status = status_of(error)
    if isinstance(error, _OURS):
        return problem(
            kind_of(error),
            "the server's archive, models or cache cannot be used",
            status=status,
            expected="an archive, models and a cache that work",
            remedy="tell the operator; the server's log has the cause",
        )
    return problem(
        kind_of(error),
        error.problem,
        status=status,
        value=error.value,
        expected=error.expected,
        remedy=error.remedy,
    )


def problem(
    kind: str,
    said: str,
    *,
    status: int,
    value: object = None,
    expected: str | None = None,
    remedy: str | None = None,
) -> dict[str, object]:
    """Problem details; ``kind`` is a stable word for programs, ``said`` a sentence for people."""
    sentence = said[:1].upper() + said[1:]
    more = [f"expected {expected}" if expected else "", remedy or ""]
    return {
        "type": f"urn:problem-type:coin-retrieval:{kind.replace('_', '-')}",
        "title": kind.replace("_", " ").capitalize(),
        "status": status,
        "detail": "; ".join(part for part in (sentence, *more) if part),
        "kind": kind,
        "problem": said,
        "value": shown(value),
        "expected": expected,
        "remedy": remedy,
    }


def shown(value: object) -> str | int | float | bool | None:
    """A value that is safe to print: short, JSON, and no surrogates or infinities."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 2**53:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    text = value if isinstance(value, str) else f"{value!r:.{SHOWN_CHARACTERS + 1}}"
    text = text.encode("utf-8", "replace").decode()
    if len(text) > SHOWN_CHARACTERS:
        return text[: SHOWN_CHARACTERS - 1] + "…"
    return text
