"""Asks a running ``coin-serve``: typed answers, and refusals as the errors that they are.

Loads no model library and no numpy: a question costs what HTTP costs.
"""

from __future__ import annotations

import json
import ssl
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import quote

import httpx2
from pydantic import BaseModel, ValidationError

from coin_retrieval import errors
from coin_retrieval.errors import CoinError, InputError, ServerError
from coin_retrieval.files import Closing
from coin_retrieval.presenting.answer import DrawingAnswer, SearchAnswer
from coin_retrieval.presenting.views import (
    ArchiveView,
    CaseView,
    DriftView,
    HealthView,
    JobView,
    Problem,
    ReadyView,
)

if TYPE_CHECKING:
    from coin_retrieval.search.query import Query
    from coin_retrieval.types import LayoutSource

T = TypeVar("T", bound=BaseModel)

TIMEOUT_S = 300.0
"""A generator on a laptop may draw for minutes, after others that wait before it."""
_CONNECT_TIMEOUT_S = 5.0
_TAKEN = frozenset({HTTPStatus.ACCEPTED})
_NOTHING = frozenset({HTTPStatus.NO_CONTENT})
_IN_USE = frozenset({HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE})


class Client(Closing):
    """A running ``coin-serve``. Answers are the command line's, with URL paths instead of files.

    Every method raises :class:`ServerError` where the server cannot be reached, is busy or does not
    answer as one, and else what the server refuses with, as the library itself would: a report that
    cannot be used is a :class:`ReportError`. Safe for several threads.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout_s: float = TIMEOUT_S,
        http: httpx2.Client | None = None,
    ) -> None:
        """Connects with the first question.

        Args:
            url: such as ``http://127.0.0.1:8000``; a path is kept, ``user:password@`` is sent.
            timeout_s: how long an answer may take, in seconds.
            http: a client of your own, for example one that logs in; its time-outs hold.

        Raises:
            InputError: not the address of a server.
        """
        address = _address(url)
        self.url = str(address.copy_with(userinfo=b"")).rstrip("/")
        """The server's address, without a password."""
        self._address = str(address).rstrip("/")
        self._timeout_s = timeout_s
        # a context that trusts this machine's authorities takes a while, and plain HTTP asks none
        verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if address.scheme == "http" else True
        self._http = http or httpx2.Client(
            timeout=httpx2.Timeout(timeout_s, connect=_CONNECT_TIMEOUT_S), verify=verify
        )

    def search(
        self, query: Query, *, image: bytes | None = None, translate: bool = False
    ) -> SearchAnswer:
        """The nearest cases of a report, of a picture (a file's bytes), or of both.

        Args:
            translate: the picture is translated first, where the server can.
        """
        asked = query.model_dump(mode="json", exclude_defaults=True)
        if image is None:
            return self._read(SearchAnswer, "POST", "/v1/search", json={"report": ""} | asked)
        asked |= {"translate": True} if translate else {}
        form = {name: _in_form(value) for name, value in asked.items()}
        files = {"image": ("image", image)}
        return self._read(SearchAnswer, "POST", "/v1/search/image", data=form, files=files)

    def search_layout(self, layout: str | LayoutSource, query: Query) -> SearchAnswer:
        """The nearest cases of nuclei, in words or as points; ``query`` is of no report."""
        asked = query.model_dump(mode="json", exclude_defaults=True)
        points = (
            layout
            if isinstance(layout, str)
            else {"points": [{"x": x, "y": y, "type": kind} for x, y, kind in layout.points]}
        )
        body = asked | {"layout": points}
        return self._read(SearchAnswer, "POST", "/v1/search/layout", json=body)

    def submit(self, query: Query) -> JobView:
        """Ask now, to be answered later: look at the job until its state is done or failed."""
        asked = query.model_dump(mode="json", exclude_defaults=True)
        return self._read(JobView, "POST", "/v1/jobs", json={"report": ""} | asked, accepted=_TAKEN)

    def job(self, job_id: str) -> JobView:
        """How far a job is; its ``answer`` when it is done."""
        return self._read(JobView, "GET", f"/v1/jobs/{quote(job_id, safe='')}")

    def cancel(self, job_id: str) -> None:
        """Stop a job, and have the server forget its answer."""
        self._ask("DELETE", f"/v1/jobs/{quote(job_id, safe='')}", accepted=_NOTHING)

    def drift(self) -> DriftView:
        """Week by week, whether what is asked moves away from what the archive holds."""
        return self._read(DriftView, "GET", "/v1/drift")

    def generate(self, report: str, *, n: int = 4, seed: int = 0) -> DrawingAnswer:
        """Synthetic pictures of a report, without a search."""
        asked = {"report": report, "n": n, "seed": seed}
        return self._read(DrawingAnswer, "POST", "/v1/generate", json=asked)

    def case(self, case_id: str) -> CaseView:
        """A case with all its pictures."""
        return self._read(CaseView, "GET", f"/v1/cases/{quote(case_id, safe='')}")

    def archive(self) -> ArchiveView:
        """What the archive holds, and what it can be asked."""
        return self._read(ArchiveView, "GET", "/v1/archive")

    def health(self) -> HealthView:
        """That the process lives, and its version."""
        return self._read(HealthView, "GET", "/healthz")

    def ready(self) -> ReadyView:
        """Whether it can answer questions yet; a server that still loads is no error here."""
        return self._read(ReadyView, "GET", "/readyz", accepted=_IN_USE)

    def picture(self, path: str, *, size_px: int | None = None) -> bytes:
        """The file of a picture, by the ``path`` or ``uri`` of an answer, or its whole address.

        Args:
            size_px: of an archive's picture, its longer side at most.
        """
        size = {} if size_px is None else {"size": size_px}
        return self._ask("GET", path.removeprefix(self.url), params=size).content

    def url_of(self, path: str) -> str:
        """The whole address of an answer's ``path`` or ``uri``."""
        return self.url + path

    def close(self) -> None:
        """End its connections."""
        self._http.close()

    def _read(self, kind: type[T], method: str, path: str, **content: Any) -> T:
        answer = self._ask(method, path, **content)
        try:
            return kind.model_validate_json(answer.content)
        except ValidationError as error:
            raise ServerError(
                "the server's answer has another form than this program reads",
                value=f"{self.url}: {error.errors()[0]['msg']}",
                expected=kind.__name__,
                remedy="run the same version of coin-retrieval here and there, and check the "
                "address: is it a coin-serve?",
            ) from error

    def _ask(
        self,
        method: str,
        path: str,
        *,
        accepted: frozenset[HTTPStatus] = frozenset({HTTPStatus.OK}),
        **content: Any,
    ) -> httpx2.Response:
        try:
            answer = self._http.request(method, self._address + path, **content)
        except httpx2.ReadTimeout as error:
            raise ServerError(
                "the server has not answered in time",
                value=self.url,
                expected=f"an answer within {self._timeout_s:g} s",
                remedy="ask again later: it may be drawing for others",
            ) from error
        except httpx2.HTTPError as error:
            raise ServerError(
                f"the server cannot be reached ({error or type(error).__name__})",
                value=self.url,
                expected="the address of a running coin-serve",
                remedy="start it (coin-serve ARCHIVE), or correct the address",
            ) from error
        if answer.status_code not in accepted:
            raise _refusal(answer, self.url)
        return answer


def _in_form(value: Any) -> Any:
    """A field of a form: a filter as JSON, several values as several fields."""
    if isinstance(value, bool | dict):
        return json.dumps(value)
    return value


def _address(url: str) -> httpx2.URL:
    try:
        address = httpx2.URL(url).copy_with(query=None, fragment=None)
    except (httpx2.InvalidURL, TypeError):
        address = httpx2.URL()
    if address.scheme not in ("http", "https") or not address.host:
        raise InputError(
            "not the address of a server",
            value=url,
            expected="http:// or https:// and a host",
            remedy="for example http://127.0.0.1:8000",
        )
    return address


def _refusal(answer: httpx2.Response, url: str) -> CoinError:
    try:
        told = Problem.model_validate_json(answer.content)
    except ValidationError:
        return ServerError(
            f"the server refuses ({answer.status_code} {answer.reason_phrase})",
            value=url,
            expected="an answer of coin-serve",
            remedy="check the address, and what stands between: a proxy may want a password",
        )
    kind = _kind_of(told, answer.status_code)
    return kind(told.problem, value=told.value, expected=told.expected, remedy=told.remedy)


def _kind_of(told: Problem, status: int) -> type[CoinError]:
    """``report`` → :class:`ReportError`; what only HTTP knows is the question's or the server's."""
    name = "".join(word.capitalize() for word in told.kind.split("_")) + "Error"
    kind = getattr(errors, name, None)
    if isinstance(kind, type) and issubclass(kind, CoinError):
        return kind
    return ServerError if status >= HTTPStatus.INTERNAL_SERVER_ERROR else InputError
