"""The page's login at the identity provider: authorization code with PKCE (RFC 7636, RFC 9700)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx2

from coin_retrieval.errors import ServerError
from server.access.principals import Principal
from server.access.settings import AccessSettings
from server.access.tokens import TokenVerifier

_PATIENCE_S = 10
BEGUN_FOR_S = 600
_MAX_BEGUN = 1000


@dataclass(frozen=True, slots=True)
class _Begun:
    verifier: str
    nonce: str
    browser: str
    return_to: str
    at: float


class OidcLogin:
    """Logins on their way: each is bound to the browser that began it, and used once."""

    def __init__(self, settings: AccessSettings, tokens: TokenVerifier) -> None:
        self._settings = settings
        self._tokens = tokens
        self._lock = threading.Lock()
        self._begun: dict[str, _Begun] = {}

    def begin(self, return_to: str) -> tuple[str, str]:
        """Where to send the browser, and what to give it to remember in a cookie.

        Args:
            return_to: this server's own callback address, as the browser knows it.

        Raises:
            ServerError: the provider does not answer.
        """
        provider = self._tokens.provider()
        state, verifier, nonce, browser = (secrets.token_urlsafe(32) for _ in range(4))
        now = time.monotonic()
        with self._lock:
            self._begun = {s: b for s, b in self._begun.items() if now - b.at < BEGUN_FOR_S}
            while len(self._begun) >= _MAX_BEGUN:
                del self._begun[next(iter(self._begun))]
            self._begun[state] = _Begun(verifier, nonce, browser, return_to, now)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest())
        asked = {
            "response_type": "code",
            "client_id": self._settings.oidc_client,
            "redirect_uri": return_to,
            "scope": self._settings.oidc_scope,
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge.rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        return f"{provider.authorization_endpoint}?{urlencode(asked)}", browser

    def finish(self, *, code: str, state: str, browser: str) -> Principal | None:
        """Who has logged in; ``None`` where this browser began no such login, or may do nothing.

        Raises:
            ServerError: the provider does not answer.
        """
        with self._lock:
            begun = self._begun.pop(state, None)
        if begun is None or time.monotonic() - begun.at > BEGUN_FOR_S:
            return None
        if not hmac.compare_digest(begun.browser.encode(), browser.encode()):
            return None
        claims = self._tokens.claims(self._identity(begun, code), self._settings.oidc_client)
        if claims is None or claims.get("nonce") != begun.nonce:
            return None
        return self._tokens.principal_of(claims)

    def _identity(self, begun: _Begun, code: str) -> str:
        secret = self._settings.oidc_secret
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": begun.return_to,
            "client_id": self._settings.oidc_client,
            "code_verifier": begun.verifier,
        }
        if secret is not None:
            form["client_secret"] = secret.get_secret_value()
        try:
            answer = httpx2.post(
                self._tokens.provider().token_endpoint, data=form, timeout=_PATIENCE_S
            )
            told: Mapping[str, Any] = answer.json() if answer.is_success else {}
        except (httpx2.HTTPError, ValueError) as error:
            raise ServerError(
                "the identity provider does not say who logged in",
                expected="an OpenID Connect provider that answers",
                remedy="log in again, or tell the operator",
            ) from error
        return str(told.get("id_token", ""))
