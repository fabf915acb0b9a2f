"""Where the server listens, under which names, and what stands before it."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any, Self

from pydantic import Field

from coin_retrieval.config import Settings
from coin_retrieval.errors import SettingsError
from server.http.options import with_options
from server.layers.own_origin import LOOPBACK


class NetworkSettings(Settings):
    """Addresses, names and certificates of one server."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65535)
    trusted_hosts: tuple[str, ...] = ()
    trusted_proxies: tuple[str, ...] = ()
    root_path: str = Field(default="", pattern=r"^(/[\w.~-]+)*$")
    tls_cert: Path | None = None
    tls_key: Path | None = None

    def but(self, **named: Any) -> Self:
        """These settings with what is named and not ``None``."""
        return with_options(self, named)

    @property
    def hosts(self) -> tuple[str, ...]:
        """The names under which it may be asked."""
        own = (f"[{self.host}]" if ":" in self.host else self.host).lower()
        return tuple(dict.fromkeys((*LOOPBACK, own, *self.trusted_hosts)))

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() == "localhost"

    def check(self, *, accounts: bool) -> None:
        """Refuse to be reached by all.

        Raises:
            SettingsError: other machines could ask, and nobody would know who; or half of what TLS
                needs.
        """
        if not accounts and not self.on_loopback:
            raise SettingsError(
                "other machines could ask this server, and it has no accounts",
                value=self.host,
                expected="--keys FILE, --oidc-issuer URL, or an address of this machine only",
                remedy="coin-serve keys add NAME --keys FILE makes a key",
            )
        if (self.tls_cert is None) != (self.tls_key is None):
            raise SettingsError(
                "TLS needs a certificate and its key",
                value=str(self.tls_cert or self.tls_key),
                expected="both --tls-cert and --tls-key",
            )
