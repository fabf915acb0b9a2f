"""``coin-serve`` as its users start it: a process of its own, found by what it prints."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2

from coin_retrieval.client import Client

PATIENCE_S = 120


def command(module: str, *arguments: str) -> list[str]:
    """The command line of a program of this project, under this very interpreter."""
    return [sys.executable, "-c", f"from {module} import main; main()", *arguments]


def environment(cache: Path) -> dict[str, str]:
    """This machine's environment, with a cache of its own and no other settings of this project."""
    inherited = {name: v for name, v in os.environ.items() if not name.startswith("COIN_")}
    return {**inherited, "COIN_CACHE_DIR": str(cache), "OMP_NUM_THREADS": "1"}


def coin_search(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """``coin search``, its environment without settings but these."""
    return subprocess.run(
        command("coin_retrieval.cli.main", "search", *arguments),
        env={**environment(Path("/nowhere")), **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


class Server:
    """A running ``coin-serve`` on a free port of the loopback; ``log`` is all that it prints."""

    def __init__(self, archive: Path, *options: str, cache: Path) -> None:
        self._log: list[str] = []
        self._listening = threading.Event()
        self.address = ""
        self._process = subprocess.Popen(
            command("server.cli.main", str(archive), "--port", "0", *options),
            env=environment(cache),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        assert self._listening.wait(PATIENCE_S), self.log
        assert self.address, self.log
        self.asked = Client(self.address, timeout_s=PATIENCE_S)
        self.client = httpx2.Client(base_url=self.address, timeout=PATIENCE_S)

    @property
    def log(self) -> str:
        """What it has printed so far."""
        return "".join(self._log)

    def wait_until_ready(self) -> None:
        """Wait for /readyz, which is 503 while the models load."""
        waiting = threading.Event()
        for _ in range(PATIENCE_S * 10):
            if self.asked.ready().status == "ready":
                return
            assert self._process.poll() is None, self.log
            waiting.wait(0.1)
        raise AssertionError(self.log)

    def stop(self) -> int:
        """Ask it to end, as a service manager does; returns its exit code."""
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(PATIENCE_S)
        self._reader.join(PATIENCE_S)
        return code

    def _read(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._log.append(line)
                found = re.search(r"listening on (http://\S+)", line)
                if found:
                    self.address = found[1]
                    self._listening.set()
        self._listening.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.client.close()
        self.asked.close()
        if self._process.poll() is None:
            self.stop()
