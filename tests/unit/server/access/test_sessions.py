"""Sessions of the page, and how often one may ask; time is the test's."""

from __future__ import annotations

import pytest

from server.access.buckets import Buckets
from server.access.principals import LOCAL
from server.access.sessions import Sessions


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    return Sessions(idle_s=60, whole_s=300, clock=clock)


def test_a_cookie_finds_its_session(sessions: Sessions) -> None:
    cookie, begun = sessions.begin(LOCAL)
    assert sessions.find(cookie) is begun
    assert sessions.find(cookie + "x") is None
    assert sessions.find("") is None


def test_a_session_that_is_not_used_ends(sessions: Sessions, clock: Clock) -> None:
    cookie, _ = sessions.begin(LOCAL)
    clock.now += 59
    assert sessions.find(cookie)
    clock.now += 59
    assert sessions.find(cookie)
    clock.now += 61
    assert sessions.find(cookie) is None


def test_a_session_that_is_always_used_ends_too(sessions: Sessions, clock: Clock) -> None:
    cookie, _ = sessions.begin(LOCAL)
    for _ in range(6):
        assert sessions.find(cookie)
        clock.now += 50
    clock.now += 1
    assert sessions.find(cookie) is None


def test_who_logs_out_is_out(sessions: Sessions) -> None:
    cookie, _ = sessions.begin(LOCAL)
    sessions.end(cookie)
    assert sessions.find(cookie) is None


def test_only_the_page_that_logged_in_knows_the_token(sessions: Sessions) -> None:
    _, begun = sessions.begin(LOCAL)
    _, other = sessions.begin(LOCAL)
    assert begun.is_own(begun.csrf)
    for foreign in (other.csrf, "", "ü"):
        assert not begun.is_own(foreign)


def test_the_number_of_sessions_is_bounded(
    sessions: Sessions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.access.sessions.MAX_SESSIONS", 20)
    first, _ = sessions.begin(LOCAL)
    last = ""
    for _ in range(20):
        last, _ = sessions.begin(LOCAL)
    assert sessions.find(last)
    assert sessions.find(first) is None


def test_a_bucket_gives_a_burst_and_then_as_much_as_flows_in(clock: Clock) -> None:
    buckets = Buckets(per_minute=60, burst=3, clock=clock)
    assert [buckets.take("a") for _ in range(3)] == [0, 0, 0]
    assert buckets.take("a") == pytest.approx(1)
    clock.now += 0.5
    assert buckets.take("a") == pytest.approx(0.5)
    clock.now += 0.5
    assert buckets.take("a") == 0
    assert buckets.take("a") > 0


def test_who_asks_too_often_is_not_kept_out_longer_for_trying(clock: Clock) -> None:
    buckets = Buckets(per_minute=60, burst=1, clock=clock)
    assert buckets.take("a") == 0
    for _ in range(50):
        assert buckets.take("a") > 0
    clock.now += 1
    assert buckets.take("a") == 0


def test_one_name_does_not_empty_anothers_bucket(clock: Clock) -> None:
    buckets = Buckets(per_minute=60, burst=1, clock=clock)
    assert buckets.take("a") == 0
    assert buckets.take("b") == 0
