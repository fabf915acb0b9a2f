"""Where the server listens, under which names, and what stands before it."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from pydantic import Field

from coin_retrieval.config import Settings
from coin_retrieval.errors import SettingsError
from server.layers.own_origin import LOOPBACK


class NetworkSettings(Settings):
    """Addresses, names and certificates of one server."""

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on; default COIN_HOST, else 127.0.0.1.",
    )
    port: int = Field(
        default=8000,
        ge=0,
        le=65535,
        description="Default COIN_PORT, else 8000; 0 takes a free one.",
    )
    trusted_hosts: tuple[str, ...] = Field(
        default=(),
        description="A name under which it may be asked, besides this machine's; repeatable.",
    )
    trusted_proxies: tuple[str, ...] = Field(
        default=(), description="A proxy whose X-Forwarded-… headers are believed; repeatable."
    )
    root_path: str = Field(
        default="",
        pattern=r"^(/[\w.~-]+)*$",
        description="The prefix under which a proxy publishes it, e.g. /coin.",
    )
    tls_cert: Path | None = Field(default=None, description="Certificate chain (PEM).")
    tls_key: Path | None = Field(default=None, description="Private key (PEM).")

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
