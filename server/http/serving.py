"""Uvicorn around the application: one process, its log, and an end when loading fails."""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable
from contextlib import nullcontext

import uvicorn
from starlette.types import ASGIApp

from coin_retrieval.errors import SettingsError
from coin_retrieval.search.retriever import Retriever
from coin_retrieval.study.store import StudyStore
from server.access.settings import AccessSettings
from server.app import create_app
from server.audit.chain import AuditLog
from server.cds.clients import CdsClients
from server.http.connections import bounded
from server.http.logs import LogFormat, log_to_stderr
from server.http.network import NetworkSettings
from server.limits import ServerLimits

KEEP_ALIVE_S = 30
BACKLOG = 512


def serve_until_stopped(
    load: Callable[[], Retriever],
    *,
    network: NetworkSettings,
    access: AccessSettings,
    limits: ServerLimits,
    audit: AuditLog | None = None,
    cds: CdsClients | None = None,
    reader_study: StudyStore | None = None,
    log_format: LogFormat = LogFormat.TEXT,
) -> Exception | None:
    """Serve until a signal comes; returns what went wrong if the models could not be loaded.

    One process: models are large, and the queues of work already use its cores.

    Raises:
        SettingsError: the address cannot be listened on.
    """
    listening = listen(network.host, network.port)
    failures: list[Exception] = []

    def stop(error: Exception) -> None:
        failures.append(error)
        server.should_exit = True

    log_to_stderr(log_format)
    app = create_app(
        load,
        limits=limits,
        on_failure=stop,
        hosts=network.hosts,
        access=access,
        audit=audit,
        cds=cds,
        reader_study=reader_study,
    )
    server = uvicorn.Server(configured(app, network, limits))
    logging.getLogger("coin.server").info(
        "listening on %s", _address(listening, network.tls_cert is not None)
    )
    with listening, audit or nullcontext(), reader_study or nullcontext():
        server.run(sockets=[listening])
    return failures[0] if failures else None


def configured(app: ASGIApp, network: NetworkSettings, limits: ServerLimits) -> uvicorn.Config:
    """How uvicorn serves an application here: whom it believes, and how long it waits."""
    return uvicorn.Config(
        app,
        root_path=network.root_path,
        proxy_headers=bool(network.trusted_proxies),
        forwarded_allow_ips=list(network.trusted_proxies),
        ssl_certfile=network.tls_cert,
        ssl_keyfile=network.tls_key,
        # the application logs requests itself, without addresses that can quote a report
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=limits.shutdown_s,
        http=bounded(limits),
        ws="none",
        log_config=None,
    )


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket; port 0 takes a free one.

    Raises:
        SettingsError: the address cannot be listened on.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # named TCP: for a socket of protocol 0 asyncio leaves Nagle's algorithm on, and every answer
    # on a connection that is kept waits 40 ms for the client's acknowledgement
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
        return listening
    except OSError as error:
        listening.close()
        raise SettingsError(
            f"cannot listen there ({error.strerror})",
            value=f"{host}:{port}",
            expected="an address of this machine and a free port",
            remedy="choose another --port, or --port 0 for any free one",
        ) from error


def _address(listening: socket.socket, tls: bool) -> str:
    host, port = listening.getsockname()[:2]
    scheme = "https" if tls else "http"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
