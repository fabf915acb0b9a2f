"""What can go wrong between a browser and the library.

The library's own :class:`~coin_retrieval.errors.CoinError` tree is answered as it stands. Only what
HTTP adds is here:

    RequestError (CoinError)       carries the status and headers of its answer
    ├── NotReadyError      503     the models are still loading, or could not be loaded
    ├── BusyError          503     the queue is full
    ├── TooLateError       503     it took longer than a request may
    ├── ClientGoneError    499     nobody waits for the answer any more
    ├── BodySizeError      413     more bytes than the server takes
    ├── MediaTypeError     415     a body of another content type
    ├── ForeignRequestError 403    asked for another host, or by another site's page
    ├── UnauthenticatedError 401   nobody knows who asks
    ├── ForbiddenError     403     who asks may not
    └── TooOftenError      429     who asks does so too often
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

from coin_retrieval import errors as coin
from coin_retrieval.errors import CoinError


class RequestError(CoinError):
    """A request that is refused before the library sees it; ``headers`` belong to its answer."""

    status = 400
    headers: Mapping[str, str] = MappingProxyType({})


class NotReadyError(RequestError):
    """The models are still loading, or could not be loaded."""

    status = 503
    headers = MappingProxyType({"Retry-After": "2"})


class BusyError(RequestError):
    """The queue is full; ``retry_after_s`` is when it should have moved on."""

    status = 503

    def __init__(
        self, queue: str, *, held: int, unit: str = "requests", retry_after_s: int
    ) -> None:
        self.headers = {"Retry-After": str(retry_after_s)}
        super().__init__(
            "the server is busy",
            value=f"{held} {unit} are {queue} or waiting",
            expected="a free place in the queue",
            remedy=f"ask again in {retry_after_s} s",
        )


class ClientGoneError(RequestError):
    """Nobody waits for the answer any more (499 as nginx has it; only the log sees it)."""

    status = 499


class TooLateError(RequestError):
    """It took longer than a request may take here."""

    status = 503
    headers = MappingProxyType({"Retry-After": "30"})


class BodySizeError(RequestError):
    """More bytes than the server takes."""

    status = 413
    # the rest of the body is not read, so the connection cannot be used again
    headers = MappingProxyType({"Connection": "close"})


class MediaTypeError(RequestError):
    """A body of another content type than the endpoint reads."""

    status = 415


class ForeignRequestError(RequestError):
    """Asked under a name that is not this server's, or by another site's page."""

    status = 403


class UnauthenticatedError(RequestError):
    """Nobody knows who asks."""

    status = 401
    headers = MappingProxyType({"WWW-Authenticate": 'Bearer realm="coin"'})


class ForbiddenError(RequestError):
    """It is known who asks, and they may not."""

    status = 403


class TooOftenError(RequestError):
    """Who asks does so too often."""

    status = 429

    def __init__(self, what: str, *, retry_after_s: float) -> None:
        seconds = math.ceil(retry_after_s)
        self.headers = {"Retry-After": str(seconds)}
        super().__init__(
            f"too many {what}",
            expected="fewer a minute",
            remedy=f"ask again in {seconds} s",
        )


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


def status_of(error: CoinError) -> int:
    """The HTTP status of an error."""
    if isinstance(error, RequestError):
        return error.status
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def kind_of(error: CoinError) -> str:
    """A stable word for programs: ``ReportError`` → ``report``."""
    name = type(error).__name__.removesuffix("Error")
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")
