"""Tokens of an OpenID Connect provider: signature, issuer, audience and time, all of them.

Algorithms are fixed here and never taken from a token (RFC 8725 §2.1, §3.1).
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

import httpx2
import jwt
from pydantic import BaseModel, ValidationError

from coin_retrieval.errors import ServerError
from server.access.principals import Principal, Role
from server.access.settings import AccessSettings

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA")
_REQUIRED = ("exp", "iat", "iss", "aud", "sub")
_PATIENCE_S = 10
_KEYS_KEPT_S = 300


class Provider(BaseModel):
    """What a provider says of itself at ``/.well-known/openid-configuration``."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str = ""
    token_endpoint: str = ""


class TokenVerifier:
    """Believes tokens of one issuer, which is asked for its keys when needed. Thread-safe."""

    def __init__(self, settings: AccessSettings) -> None:
        self._issuer = str(settings.oidc_issuer).rstrip("/")
        self._settings = settings
        self._lock = threading.Lock()
        self._provider: Provider | None = None
        self._keys: jwt.PyJWKClient | None = None

    def provider(self) -> Provider:
        """The provider's addresses, asked once.

        Raises:
            ServerError: it does not answer, or is another than it was asked as.
        """
        with self._lock:
            if self._provider is None:
                self._provider = self._ask()
            return self._provider

    def principal(self, token: str) -> Principal | None:
        """Whose access token this is; ``None`` where it is not to be believed.

        Raises:
            ServerError: the provider does not answer.
        """
        audience = self._settings.oidc_audience
        claims = self.claims(token, audience) if audience else None
        return None if claims is None else self.principal_of(claims)

    def claims(self, token: str, audience: str) -> Mapping[str, Any] | None:
        """The claims of a token for ``audience``; ``None`` where it is not to be believed.

        Raises:
            ServerError: the provider does not answer.
        """
        try:
            found: Mapping[str, Any] = jwt.decode(
                token,
                self._signing_keys().get_signing_key_from_jwt(token),
                algorithms=list(ALGORITHMS),
                audience=audience,
                issuer=self.provider().issuer,
                leeway=self._settings.clock_skew_s,
                options={"require": list(_REQUIRED)},
            )
        except jwt.PyJWKClientConnectionError as error:
            raise _away(self._issuer) from error
        except jwt.PyJWTError:
            return None
        return found

    def principal_of(self, claims: Mapping[str, Any]) -> Principal | None:
        """Who that is, with the highest role that the claims list; ``None`` without any."""
        told = claims.get(self._settings.oidc_roles, [])
        names = told if isinstance(told, list) else str(told).split()
        roles = [role for role in Role if role.value in names]
        return Principal(f"oidc:{claims['sub']}", roles[-1]) if roles else None

    def _signing_keys(self) -> jwt.PyJWKClient:
        provider = self.provider()
        with self._lock:
            if self._keys is None:
                self._keys = jwt.PyJWKClient(
                    provider.jwks_uri,
                    lifespan=_KEYS_KEPT_S,
                    timeout=_PATIENCE_S,
                    cooldown_duration=self._settings.oidc_cooldown_s,
                )
            return self._keys

    def _ask(self) -> Provider:
        address = f"{self._issuer}/.well-known/openid-configuration"
        try:
            answer = httpx2.get(address, timeout=_PATIENCE_S)
            found = Provider.model_validate_json(answer.raise_for_status().content)
        except (httpx2.HTTPError, ValidationError) as error:
            raise _away(self._issuer) from error
        if found.issuer.rstrip("/") != self._issuer:
            raise _away(self._issuer)
        return found


def _away(issuer: str) -> ServerError:
    return ServerError(
        "the identity provider cannot be asked",
        value=issuer,
        expected="an OpenID Connect provider at its issuer's address",
        remedy="ask again in a few seconds, or tell the operator",
    )
