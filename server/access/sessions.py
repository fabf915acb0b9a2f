"""The page's sessions: a random cookie on one side, its hash and a CSRF token on the other."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from server.access.principals import Principal

MAX_SESSIONS = 10_000


@dataclass(slots=True)
class Session:
    """One login; times are of the server's own clock, in seconds."""

    principal: Principal
    csrf: str
    began: float
    used: float

    def is_own(self, csrf: str) -> bool:
        """Whether a request proves that it comes from the page that logged in."""
        return hmac.compare_digest(self.csrf.encode(), csrf.encode())


class Sessions:
    """Logins of one server process; they end with it.

    Args:
        idle_s: a login that is not used for so long ends.
        whole_s: every login ends after so long.
    """

    def __init__(
        self, *, idle_s: float, whole_s: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._idle_s, self._whole_s, self._clock = idle_s, whole_s, clock
        self._lock = threading.Lock()
        self._sessions: dict[str, Session] = {}

    def begin(self, principal: Principal) -> tuple[str, Session]:
        """A new login: the cookie's value, and the session."""
        cookie, now = secrets.token_urlsafe(32), self._clock()
        session = Session(principal, secrets.token_urlsafe(32), now, now)
        with self._lock:
            self._sweep(now)
            self._sessions[_key(cookie)] = session
        return cookie, session

    def find(self, cookie: str) -> Session | None:
        """The session of a cookie, if it has not ended."""
        now = self._clock()
        with self._lock:
            session = self._sessions.get(_key(cookie))
            if session is None or self._ended(session, now):
                return None
            session.used = now
            return session

    def end(self, cookie: str) -> None:
        """Log out."""
        with self._lock:
            self._sessions.pop(_key(cookie), None)

    def _ended(self, session: Session, now: float) -> bool:
        return now - session.used > self._idle_s or now - session.began > self._whole_s

    def _sweep(self, now: float) -> None:
        for key in [key for key, one in self._sessions.items() if self._ended(one, now)]:
            del self._sessions[key]
        while len(self._sessions) >= MAX_SESSIONS:
            del self._sessions[min(self._sessions, key=lambda key: self._sessions[key].used)]


def _key(cookie: str) -> str:
    # who reads the server's memory, or a dump of it, finds no cookie
    return hashlib.sha256(cookie.encode()).hexdigest()
