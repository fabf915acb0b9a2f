"""Everything that knows principals, put together from the operator's settings."""

from __future__ import annotations

from server.access.buckets import Buckets
from server.access.keys import PREFIX, KeyFile
from server.access.login import OidcLogin
from server.access.principals import Principal
from server.access.sessions import Sessions
from server.access.settings import AccessSettings
from server.access.tokens import TokenVerifier
from server.wire.errors import RequestError, TooOftenError, UnauthenticatedError


class Accounts:
    """Keys, tokens, sessions and limits of one server that has accounts."""

    def __init__(self, settings: AccessSettings) -> None:
        self.settings = settings
        self.keys = None if settings.keys is None else KeyFile(settings.keys)
        self.tokens = None if settings.oidc_issuer is None else TokenVerifier(settings)
        self.login: OidcLogin | None = None
        if self.tokens is not None and settings.oidc_client:
            self.login = OidcLogin(settings, self.tokens)
        self.sessions = Sessions(idle_s=settings.session_idle_s, whole_s=settings.session_s)
        self.requests = _buckets(settings.requests_per_minute)
        self.questions = _buckets(settings.questions_per_minute)
        self.failures = _buckets(settings.logins_per_minute)

    def bearer(self, presented: str) -> Principal | None:
        """Who presents this key or token; ``None`` where it is not to be believed.

        Raises:
            ServerError: the identity provider does not answer.
        """
        if presented.startswith(f"{PREFIX}_"):
            return None if self.keys is None else self.keys.principal(presented)
        return None if self.tokens is None else self.tokens.principal(presented)

    def failed(self, address: str, problem: str, *, expected: str, remedy: str) -> RequestError:
        """What a failed login from an address is answered with: who guesses on is made to wait."""
        wait_s = self.failures.take(address)
        if wait_s:
            return TooOftenError("failed logins", retry_after_s=wait_s)
        return UnauthenticatedError(problem, expected=expected, remedy=remedy)


def _buckets(per_minute: int) -> Buckets:
    # half a minute's worth at once: a page asks for many pictures in one go
    return Buckets(per_minute=per_minute, burst=max(1, per_minute / 2))
