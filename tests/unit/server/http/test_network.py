"""Where a server may listen, and under which names."""

from __future__ import annotations

import pytest

from coin_retrieval.errors import SettingsError
from server.access.settings import AccessSettings
from server.http.network import NetworkSettings
from server.http.options import with_options


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_this_machine_alone_needs_no_accounts(host: str) -> None:
    NetworkSettings(host=host).check(accounts=False)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "coin.hospital"])  # noqa: S104
def test_other_machines_are_let_near_only_where_there_are_accounts(host: str) -> None:
    with pytest.raises(SettingsError, match="coin-serve keys add"):
        NetworkSettings(host=host).check(accounts=False)
    NetworkSettings(host=host).check(accounts=True)


def test_half_of_what_tls_needs_is_refused() -> None:
    half = with_options(NetworkSettings(), {"tls_cert": "cert.pem"})
    with pytest.raises(SettingsError, match="--tls-key"):
        half.check(accounts=True)


def test_it_is_known_under_its_address_and_the_names_that_are_trusted() -> None:
    network = NetworkSettings(host="fd00::1", trusted_hosts=("coin.hospital",))
    assert {"localhost", "[fd00::1]", "coin.hospital"} <= set(network.hosts)


def test_an_option_that_cannot_be_used_is_named() -> None:
    with pytest.raises(SettingsError, match="--root-path"):
        with_options(NetworkSettings(), {"root_path": "no slash"})
    with pytest.raises(SettingsError, match="--oidc-issuer"):
        with_options(AccessSettings(), {"oidc_issuer": "no address"})
    with pytest.raises(SettingsError, match="oidc_audience"):
        with_options(AccessSettings(), {"oidc_issuer": "https://idp.example"})


def test_options_stand_above_the_settings_and_what_is_not_named_stays() -> None:
    network = NetworkSettings(port=9000, root_path="/coin")
    changed = with_options(network, {"port": 9001, "root_path": None, "trusted_hosts": []})
    assert (changed.port, changed.root_path) == (9001, "/coin")
