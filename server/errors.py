"""What can go wrong between a browser and the library, and every error as one JSON shape.

The library's own :class:`~coin_retrieval.errors.CoinError` tree is answered as it stands. Only what
HTTP adds is here:

    RequestError (CoinError)       carries the status and headers of its answer
    ├── NotReadyError      503     the models are still loading, or could not be loaded
    ├── BusyError          503     the queue is full
    ├── ClientGoneError    499     nobody waits for the answer any more
    ├── BodySizeError      413     more bytes than the server takes
    └── MediaTypeError     415     a body of another content type
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from coin_retrieval import errors as coin
from coin_retrieval.errors import CoinError

SHOWN_CHARACTERS = 120


class RequestError(CoinError):
    """A request that is refused before the library sees it."""

    status = 400

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers that belong to the answer."""
        return {}


class NotReadyError(RequestError):
    """The models are still loading, or could not be loaded."""

    status = 503

    @property
    def headers(self) -> Mapping[str, str]:
        """When to ask again."""
        return {"Retry-After": "2"}


class BusyError(RequestError):
    """The queue is full; ``retry_after_s`` is when it should have moved on."""

    status = 503

    def __init__(self, queue: str, *, held: int, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(
            "the server is busy",
            value=f"{held} requests are {queue} or waiting",
            expected="a free place in the queue",
            remedy=f"ask again in {retry_after_s} s",
        )

    @property
    def headers(self) -> Mapping[str, str]:
        """When to ask again."""
        return {"Retry-After": str(self.retry_after_s)}


class ClientGoneError(RequestError):
    """Nobody waits for the answer any more (499 as nginx has it; only the log sees it)."""

    status = 499


class BodySizeError(RequestError):
    """More bytes than the server takes."""

    status = 413

    @property
    def headers(self) -> Mapping[str, str]:
        """The rest of the body is not read, so the connection cannot be used again."""
        return {"Connection": "close"}


class MediaTypeError(RequestError):
    """A body of another content type than the endpoint reads."""

    status = 415


STATUS: tuple[tuple[type[CoinError], int], ...] = (
    (coin.ReportError, 422),
    (coin.ImageError, 422),
    (coin.FilterError, 422),
    (coin.SettingsError, 503),
    (coin.CaseTableError, 503),
    (coin.InputError, 400),
    (coin.NotFoundError, 404),
    (coin.UnsupportedError, 409),
    (coin.ReplayError, 409),
    (coin.MissingDependencyError, 503),
    (coin.EncoderMismatchError, 409),
    (coin.ArchiveError, 503),
    (coin.ModelError, 503),
    (coin.ServerError, 503),
)
"""First match wins, so a class stands after those that inherit from it."""

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


def status_of(error: CoinError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, RequestError):
        return error.status
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def kind_of(error: CoinError) -> str:
    """A stable word for programs: ``ReportError`` → ``report``."""
    name = type(error).__name__.removesuffix("Error")
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


def body_of(error: CoinError) -> dict[str, object]:
    """The JSON of an error; what names the server's own files is left out."""
    if isinstance(error, _OURS):
        return body(
            kind_of(error),
            "the server's archive, models or cache cannot be used",
            expected="an archive, models and a cache that work",
            remedy="tell the operator; the server's log has the cause",
        )
    return body(
        kind_of(error),
        error.problem,
        value=error.value,
        expected=error.expected,
        remedy=error.remedy,
    )


def body(
    kind: str,
    problem: str,
    *,
    value: object = None,
    expected: str | None = None,
    remedy: str | None = None,
) -> dict[str, object]:
    """The one shape that every refusal has."""
    return {
        "error": {
            "kind": kind,
            "problem": problem,
            "value": shown(value),
            "expected": expected,
            "remedy": remedy,
        }
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
