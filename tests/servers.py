"""Real servers on loopback, on free ports: Milvus, PostgreSQL, and an object store like S3.

Each is started once a session by the first test that asks for it. What they need is a part of
``pip install -e .[test]``, but PostgreSQL's programs (``apt-get install postgresql``).
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fsspec
import pytest

REQUIRED = "COIN_REQUIRE_SERVERS"
"""Where it is set, as in CI, a server that cannot be had is an error, elsewhere a test skipped."""

_START_S = 120

_ETCD = """\
name: default
data-dir: {folder}/data/etcd.data
listen-client-urls: http://localhost:{port}
advertise-client-urls: http://localhost:{port}
listen-peer-urls: http://localhost:{peers}
initial-advertise-peer-urls: http://localhost:{peers}
initial-cluster: default=http://localhost:{peers}
"""
"""Without it every Milvus of a machine takes port 2380 for its peers."""


def without(reason: str) -> None:
    """Skip the test, or fail it where servers are required."""
    if os.environ.get(REQUIRED):
        pytest.fail(reason)
    pytest.skip(reason)


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    """Whether anybody listens on a port of loopback."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Milvus:
    """A standalone Milvus of the package ``milvus``, with all of its data below one folder."""

    def __init__(self, folder: Path) -> None:
        if find_spec("milvus") is None:
            without("Milvus is not installed: pip install milvus==2.3.5")
        self._folder = folder
        self._port = free_port()
        self._server = self._configured(etcd_port=free_port(), peers=free_port())
        # a quarter of a gigabyte that is unpacked once
        programs = Path(tempfile.gettempdir()) / f"milvus-2.3.5-{os.geteuid()}"
        programs.mkdir(exist_ok=True)
        (folder / "bin").symlink_to(programs, target_is_directory=True)
        self.start()

    @property
    def uri(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        """Start it, with the data that it had before; nothing, while it runs."""
        if listens(self._port):
            return
        self._server.start()
        # where it listened is not free for a while after a kill, and the package would look on
        self._server.config.resolve = lambda: None
        until = time.monotonic() + _START_S
        while not _answers(self.uri):
            if time.monotonic() > until:
                log = (self._folder / "logs" / "milvus-stderr.log").read_text("utf-8")[:2000]
                pytest.fail(f"Milvus did not start: {log}")
            if self._server.server_proc.poll() is not None:
                # what was killed is registered until its lease ends, and its successor gives up
                time.sleep(1)
                self._server.start()
            time.sleep(0.1)

    def _configured(self, etcd_port: int, peers: int) -> Any:
        from milvus import MilvusServer, MilvusServerConfig

        config = MilvusServerConfig()
        etcd = self._folder / "etcd.yaml"
        etcd.write_text(_ETCD.format(folder=self._folder, port=etcd_port, peers=peers))
        config.template_text = config.template_text.replace(
            "    embed: true", f"    embed: true\n  config:\n    path: {etcd}\n  unused:"
        )
        # its own wait does not see that the process has died
        server = MilvusServer(config, wait_for_started=False)
        server.set_base_dir(str(self._folder))
        config.set("proxy_port", self._port)
        config.set("etcd_port", etcd_port)
        return server

    def kill(self) -> None:
        """SIGKILL: all of it is one process."""
        self._server.server_proc.kill()
        self._server.server_proc.wait()

    def stop(self) -> None:
        """End it, and delete its data."""
        self.kill()
        self._server.stop()
        (self._folder / "bin").unlink()
        shutil.rmtree(self._folder, ignore_errors=True)


class Postgres:
    """A PostgreSQL cluster of its own, in a folder that others than root may pass through."""

    def __init__(self, folder: Path) -> None:
        self._programs = _postgres_programs()
        if self._programs is None:
            without("PostgreSQL is not installed: apt-get install postgresql")
        self._folder = folder
        self._port = free_port()
        # it refuses to run as root
        self._user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
        folder.mkdir(parents=True, exist_ok=True)
        if os.geteuid() == 0:
            shutil.chown(folder, self._user, self._user)
        self._run("initdb", "-D", folder / "data", "-U", "coin", "-A", "trust", "-E", "UTF8")
        self.start()

    @property
    def url(self) -> str:
        """The SQLAlchemy URL of its database."""
        return f"postgresql://coin@127.0.0.1:{self._port}/postgres"

    @property
    def pid(self) -> int:
        """The postmaster."""
        return int((self._folder / "data" / "postmaster.pid").read_text().split()[0])

    def start(self) -> None:
        """Start it, with the data that it had before; nothing, while it runs."""
        if listens(self._port):
            return
        options = f"-p {self._port} -k {self._folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = self._folder / "log"
        self._run(
            "pg_ctl",
            "-D",
            self._folder / "data",
            "-l",
            log,
            "-o",
            options,
            "-t",
            _START_S,
            "-w",
            "start",
        )

    def kill(self) -> None:
        """SIGKILL, to its children as well, as when the machine goes."""
        pid = self.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for process in (pid, *map(int, children)):
            os.kill(process, signal.SIGKILL)
        until = time.monotonic() + _START_S
        while any(Path(f"/proc/{process}").exists() for process in (pid, *children)):
            assert time.monotonic() < until
            time.sleep(0.05)

    def stop(self) -> None:
        """End it, and delete its data."""
        self._run("pg_ctl", "-D", self._folder / "data", "-m", "immediate", "stop")
        shutil.rmtree(self._folder, ignore_errors=True)

    def _run(self, program: str, *words: object) -> None:
        assert self._programs is not None
        done = subprocess.run(
            [self._programs / program, *map(str, words)],
            user=self._user if os.geteuid() == 0 else None,
            cwd=self._folder,
            # the server would inherit a pipe, whose end would never come
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_START_S,
            check=False,
        )
        assert done.returncode == 0, program


class ObjectStore:
    """moto's server, which answers like S3; its one bucket is ``bucket``."""

    def __init__(self) -> None:
        for module in ("moto", "s3fs"):
            if find_spec(module) is None:
                without(f"{module} is not installed")
        self._port = free_port()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self._port)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + _START_S
        while not listens(self._port) and time.monotonic() < until:
            time.sleep(0.05)
        fsspec.filesystem("s3", **self.options).mkdir("bucket")

    @property
    def options(self) -> dict[str, Any]:
        """What fsspec needs to reach it."""
        return {
            "key": "test",
            "secret": "test",
            "client_kwargs": {"endpoint_url": f"http://127.0.0.1:{self._port}"},
        }

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait()


def _answers(uri: str) -> bool:
    """Whether a Milvus there does what is asked, not only listens."""
    from pymilvus import MilvusClient
    from pymilvus.exceptions import MilvusException

    try:
        client = MilvusClient(uri, timeout=5)
        client.list_collections()
        client.close()
    except MilvusException:
        return False
    return True


def _postgres_programs() -> Path | None:
    found = shutil.which("initdb")
    places = [Path(found).resolve().parent] if found else []
    places += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((place for place in places if (place / "initdb").is_file()), None)
