"""The client of the library, against the server itself."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import httpx2
import pytest
from fastapi.testclient import TestClient
from unit.server.ground import REPORT, MakeApp, disc, png, serving

from coin_retrieval.client import Client
from coin_retrieval.errors import (
    FilterError,
    GenerationError,
    ImageError,
    InputError,
    NotFoundError,
    ReportError,
    ServerError,
    UnsupportedError,
)
from coin_retrieval.search.query import Query

URL = "http://127.0.0.1:8000"

STANDARD = {"type": "about:blank", "title": "Busy", "status": 503, "detail": "ask again"}


@pytest.fixture
def asking(client: TestClient) -> Client:
    return Client(URL, http=client)


def answering(handler: Callable[[httpx2.Request], httpx2.Response]) -> Client:
    """A client of something that is not, or no longer, a good server."""
    return Client(URL, http=httpx2.Client(transport=httpx2.MockTransport(handler)))


def test_a_report_is_answered_with_the_typed_answer(asking: Client) -> None:
    answer = asking.search(Query(report=REPORT, prototypes=2, k=3, where={"site": ["urine"]}))
    assert answer.query.report == REPORT
    assert [one.seed for one in answer.prototypes] == [0, 1]
    assert {case.site for case in answer.cases} == {"urine"}


def test_the_pictures_of_an_answer_can_be_fetched(asking: Client) -> None:
    answer = asking.search(Query(report=REPORT, prototypes=1, k=1))
    assert asking.picture(answer.prototypes[0].path).startswith(b"\x89PNG")
    small = asking.picture(answer.cases[0].images[0].uri, size_px=32)
    assert small.startswith(b"\xff\xd8")


def test_a_picture_is_searched_with_all_that_was_asked(asking: Client) -> None:
    query = Query(k=2, where={"stain": ["Giemsa"]}, near_duplicates=True, disliked=("D-4",))
    answer = asking.search(query, image=png(disc(3)))
    assert [own.case.case_id for own in answer.own] == ["C-3"]
    assert answer.query.asked == query


def test_a_report_is_drawn(asking: Client) -> None:
    drawn = asking.generate(REPORT, n=2, seed=7)
    assert [one.seed for one in drawn.prototypes] == [7, 8]


def test_a_case_is_read_whatever_its_id_has(asking: Client) -> None:
    assert asking.case("B/2").site == "urine"


def test_the_archive_and_the_server_say_what_they_are(asking: Client) -> None:
    assert asking.archive().images == 6
    assert asking.health().status == "ok"
    assert asking.ready().status == "ready"


@pytest.mark.parametrize(
    ("query", "kind", "told"),
    [
        (Query(report="\0"), ReportError, "not plain text"),
        (Query(report=REPORT, where={"planet": ["Mars"]}), FilterError, "no such field"),
        (Query(report=REPORT, liked=("nobody",)), NotFoundError, "nobody"),
        (Query(liked=("A-1",), disliked=("A-1",)), InputError, "both ways"),
    ],
)
def test_a_refusal_is_the_error_that_the_library_itself_raises(
    asking: Client, query: Query, kind: type[Exception], told: str
) -> None:
    with pytest.raises(kind, match=told) as caught:
        asking.search(query)
    assert type(caught.value) is kind


def test_a_file_that_is_no_picture_is_an_image_error(asking: Client) -> None:
    with pytest.raises(ImageError, match="cannot be decoded"):
        asking.search(Query(), image=b"no picture")


def test_a_number_out_of_range_is_an_input_error(asking: Client) -> None:
    with pytest.raises(InputError, match="n: "):
        asking.generate(REPORT, n=1000)


def test_a_case_that_is_not_there_is_not_found(asking: Client) -> None:
    with pytest.raises(NotFoundError):
        asking.case("nobody")


@pytest.fixture
def undrawing(make_app: MakeApp) -> Iterator[Client]:
    with serving(make_app()) as running:
        yield Client(URL, http=running)


def test_a_power_that_the_server_lacks_is_unsupported(undrawing: Client) -> None:
    with pytest.raises(UnsupportedError, match="generator"):
        undrawing.generate(REPORT)


def test_a_port_without_a_server_is_told_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
    with (
        Client(f"http://127.0.0.1:{port}") as client,
        pytest.raises(ServerError, match=r"cannot be reached.*coin-serve ARCHIVE"),
    ):
        client.health()


def test_an_answer_that_does_not_come_is_not_waited_for_for_ever() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as mute,
        Client(f"http://127.0.0.1:{mute.getsockname()[1]}", timeout_s=0.05) as client,
        pytest.raises(ServerError, match=r"not answered in time.*0\.05 s"),
    ):
        client.health()


def test_a_busy_server_is_a_server_error_that_says_when_to_ask_again() -> None:
    told = {**STANDARD, "kind": "busy", "problem": "the server is busy", "value": "9 requests",
            "expected": "a free place", "remedy": "ask again in 4 s"}  # fmt: skip
    busy = answering(lambda _: httpx2.Response(503, json=told))
    with pytest.raises(ServerError, match="ask again in 4 s"):
        busy.archive()


def test_a_drawing_that_failed_is_a_generation_error() -> None:
    told = {**STANDARD, "kind": "generation", "problem": "blank", "value": None, "expected": None,
            "remedy": None}  # fmt: skip
    failing = answering(lambda _: httpx2.Response(503, json=told))
    with pytest.raises(GenerationError):
        failing.generate(REPORT)


@pytest.mark.parametrize("page", ["<html>Welcome to nginx</html>", '{"status": "up"}', ""])
def test_something_else_that_answers_there_is_told_apart(page: str) -> None:
    other = answering(lambda _: httpx2.Response(200, text=page))
    with pytest.raises(ServerError, match="is it a coin-serve"):
        other.health()


def test_a_proxy_that_refuses_is_no_answer_of_the_server() -> None:
    proxy = answering(lambda _: httpx2.Response(401, text="log in"))
    with pytest.raises(ServerError, match=r"401 Unauthorized.*proxy"):
        proxy.archive()


@pytest.mark.parametrize("url", ["127.0.0.1:8000", "ftp://host", "http://", "", "archive"])
def test_an_address_that_is_none_is_refused_at_once(url: str) -> None:
    with pytest.raises(InputError, match=r"http://127\.0\.0\.1:8000"):
        Client(url)


def test_a_password_in_the_address_is_sent_but_never_shown() -> None:
    asked: list[httpx2.Request] = []

    def refuse(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(502)

    client = Client(
        "https://reader:secret@host/coin/",
        http=httpx2.Client(transport=httpx2.MockTransport(refuse)),
    )
    with pytest.raises(ServerError) as caught:
        client.archive()
    assert "secret" not in str(caught.value)
    assert client.url == "https://host/coin"
    assert str(asked[0].url).endswith("@host/coin/v1/archive")
    assert asked[0].headers["authorization"].startswith("Basic ")
