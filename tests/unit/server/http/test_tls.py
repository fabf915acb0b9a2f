"""Which versions of TLS are spoken."""

from __future__ import annotations

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from starlette.applications import Starlette

from server.http.network import NetworkSettings
from server.http.serving import configured
from server.limits import ServerLimits

VERSIONS = ssl.TLSVersion
NAME = x509.Name.from_rfc4514_string("CN=cytology.example")


@pytest.fixture
def context(tmp_path: Path) -> ssl.SSLContext:
    """What a server with a certificate of its own listens with."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(NAME, NAME, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(hours=1))
        .sign(key, hashes.SHA256())
    )
    network = NetworkSettings(tls_cert=tmp_path / "cert.pem", tls_key=tmp_path / "key.pem")
    (tmp_path / "cert.pem").write_bytes(signed.public_bytes(Encoding.PEM))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    config = configured(Starlette(), network, ServerLimits())
    config.load()
    assert config.ssl is not None
    return config.ssl


@pytest.mark.parametrize(
    ("version", "spoken"),
    [(VERSIONS.TLSv1_1, None), (VERSIONS.TLSv1_2, "TLSv1.2"), (VERSIONS.TLSv1_3, "TLSv1.3")],
)
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
def test_current_versions_of_tls_are_spoken_and_no_others(
    context: ssl.SSLContext, version: ssl.TLSVersion, spoken: str | None
) -> None:
    asking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    asking.check_hostname, asking.verify_mode = False, ssl.CERT_NONE
    # a client of yesterday, that would take anything
    asking.set_ciphers("ALL:@SECLEVEL=0")
    asking.minimum_version = asking.maximum_version = version
    ours, theirs = socket.socketpair()
    with ours, theirs, ThreadPoolExecutor(1) as other:
        answering = other.submit(context.wrap_socket, ours, server_side=True)
        try:
            with asking.wrap_socket(theirs) as agreed:
                assert agreed.version() == spoken
        except ssl.SSLError:
            assert spoken is None
        with suppress(ssl.SSLError, OSError):
            answering.result(20).close()
