"""Which health records may call, proved by a token that each signs for every call.

https://cds-hooks.hl7.org/2.0/#trusting-cds-clients
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Annotated, Any

import jwt
import yaml
from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from coin_retrieval.errors import ServerError, SettingsError
from server.access.principals import Principal, Role
from server.wire.errors import UnauthenticatedError

ALGORITHMS = ("ES384", "RS384", "ES256", "RS256")
_REQUIRED = ("iss", "aud", "exp", "iat", "jti")
_LONGEST_S = 600
"""Tokens are for one call; who may hold them longer would have us remember more of them."""


class CdsClient(BaseModel):
    """One health record system: who signs its tokens, and where its pages come from."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    iss: str
    jwks_url: AnyHttpUrl
    origins: Annotated[tuple[str, ...], Field(description="that may call from a browser")] = ()


_CLIENTS = TypeAdapter(list[CdsClient])


class CdsClients:
    """The systems that an operator named. Safe for several threads."""

    def __init__(self, clients: list[CdsClient], *, clock_skew_s: int) -> None:
        self._clients = {client.iss: client for client in clients}
        self._keys = {
            client.iss: jwt.PyJWKClient(str(client.jwks_url), timeout=10) for client in clients
        }
        self._clock_skew_s = clock_skew_s
        self._lock = threading.Lock()
        self._used: dict[tuple[str, str], float] = {}
        self.origins = frozenset(origin for client in clients for origin in client.origins)

    def principal(self, token: str, *, audience: str) -> Principal:
        """Who calls.

        Args:
            audience: the address that is called, which the token must be for.

        Raises:
            UnauthenticatedError: no such client, or a token that is not to be believed.
            ServerError: the client's keys cannot be fetched.
        """
        try:
            issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
            if issuer not in self._clients:
                raise _refused("it is of no health record that is known here")
            claims: dict[str, Any] = jwt.decode(
                token,
                self._keys[issuer].get_signing_key_from_jwt(token),
                algorithms=list(ALGORITHMS),
                audience=audience,
                issuer=issuer,
                leeway=self._clock_skew_s,
                options={"require": list(_REQUIRED)},
            )
        except jwt.PyJWKClientConnectionError as error:
            raise ServerError(
                "the keys of the calling system cannot be fetched",
                expected="its jwks_url to answer",
                remedy="tell the operator",
            ) from error
        except jwt.PyJWTError as error:
            raise _refused(type(error).__name__) from None
        self._spend(issuer, str(claims["jti"]), float(claims["exp"]), float(claims["iat"]))
        return Principal(f"cds:{issuer}", Role.READER)

    def _spend(self, issuer: str, token_id: str, expires: float, issued: float) -> None:
        if expires - issued > _LONGEST_S:
            raise _refused(f"it holds longer than {_LONGEST_S} s")
        now = time.time()
        with self._lock:
            self._used = {key: until for key, until in self._used.items() if until > now}
            if (issuer, token_id) in self._used:
                raise _refused("it was used before")
            self._used[issuer, token_id] = expires + self._clock_skew_s


def read_clients(path: Path, *, clock_skew_s: int = 60) -> CdsClients:
    """The clients of a YAML file: a list of ``iss``, ``jwks_url`` and ``origins``.

    Raises:
        SettingsError: it cannot be read.
    """
    try:
        clients = _CLIENTS.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError, ValidationError) as error:
        raise SettingsError(
            "the file of CDS clients cannot be used",
            value=f"{path}: {type(error).__name__}",
            expected="a list of iss, jwks_url and origins",
            remedy="see the server's documentation",
        ) from error
    return CdsClients(clients, clock_skew_s=clock_skew_s)


def _refused(why: str) -> UnauthenticatedError:
    return UnauthenticatedError(
        f"the token is not to be believed ({why})",
        expected="a token that the calling system signed for this call",
        remedy="see CDS Hooks 2.0, trusting CDS clients",
    )
