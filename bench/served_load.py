"""What a server bears: many clients, drawings, thumbnails beside them, and its memory.

    python bench/served_load.py ARCHIVE [--clients 32] [--seconds 30] [--memory-minutes 0] [--json]

- alone: one process without HTTP asks reports whose prototypes are kept, two at a time;
- cached: so many clients ask the same of `coin-serve ARCHIVE`;
- model alone: the generator draws batches of one report's pictures, full batches, and what so many
  callers ask of the batcher at the same time;
- one, many: one client, then so many, ask reports that nobody asked before;
- thumbnails: how long one takes before and meanwhile;
- memory: of the server while all of that goes on gently, every ten seconds.

Each figure comes with processor seconds (of the server, not of its clients), because wall times
tell of the machine's other work, too. Nothing is kept but in a temporary cache.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count, cycle
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from measuring import machine, parser, quantiles, show

PROTOTYPES = 4
BATCH = 16
TICKS = os.sysconf("SC_CLK_TCK")


def reports(first: int, number: int) -> list[str]:
    """Reports of ordinary length, no two the same."""
    return [
        f"Smear {first + i}: cells with enlarged nuclei, irregular membranes, coarse chromatin and "
        "scant cytoplasm; the background is clean."
        for i in range(number)
    ]


class Server:
    """A running ``coin-serve``, its processor time and its memory."""

    def __init__(self, archive: str, cache: Path) -> None:
        start = [sys.executable, "-c", "from server.cli.main import main; main()"]
        settings = {"COIN_CACHE_DIR": str(cache), "COIN_LIMITS__DRAWING_BATCH": str(BATCH)}
        self.process = subprocess.Popen(  # noqa: S603 - our own
            [*start, archive, "--port", "0"],
            stderr=subprocess.PIPE, text=True, env=os.environ | settings,
        )  # fmt: skip
        assert self.process.stderr is not None  # noqa: S101
        found = next(m for line in self.process.stderr if (m := re.search(r"http://\S+", line)))
        self.address = urlsplit(found[0])
        # a pipe that nobody reads would stop the server
        threading.Thread(target=self.process.stderr.read, daemon=True).start()
        asking = Client(self)
        while asking.ask("GET", "/readyz")[0] != 200:
            time.sleep(0.5)

    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("RssAnon:")[2].split()[0]) / 1024

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()


class Client:
    """One connection that is kept."""

    def __init__(self, server: Server) -> None:
        self._at = (server.address.hostname or "", server.address.port)
        self._http = http.client.HTTPConnection(*self._at, timeout=600)

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, bytes]:
        data = None if body is None else json.dumps(body).encode()
        self._http.request(method, path, data, {"Content-Type": "application/json"})
        answer = self._http.getresponse()
        if answer.status == 503 and body is not None:
            answer.read()
            time.sleep(float(answer.headers.get("Retry-After", 1)))
            return 503, b""
        return answer.status, answer.read()

    def search(self, report: str) -> int:
        return self.ask("POST", "/v1/search", {"report": report, "prototypes": PROTOTYPES})[0]


class Load:
    """What clients were answered in a while."""

    def __init__(self) -> None:
        self.took_s: list[float] = []
        self.statuses: dict[int, int] = {}
        self._lock = threading.Lock()

    def timed(self, ask: Callable[[], int]) -> None:
        start = time.perf_counter()
        status = ask()
        with self._lock:
            self.took_s.append(time.perf_counter() - start)
            self.statuses[status] = self.statuses.get(status, 0) + 1


def clients(
    server: Server, number: int, seconds: float, report: Callable[[], str]
) -> dict[str, Any]:
    """So many clients, each with one question after the other; the last ones are waited for."""
    load, ends = Load(), time.monotonic() + seconds
    before, start = server.cpu_s(), time.perf_counter()

    def one(_: int) -> None:
        asking = Client(server)
        while time.monotonic() < ends:
            load.timed(lambda: asking.search(report()))

    with ThreadPoolExecutor(number) as pool:
        list(pool.map(one, range(number)))
    wall, answered = time.perf_counter() - start, load.statuses.get(200, 0)
    rate = answered / wall
    latency = quantiles(load.took_s, digits=3)
    return {
        "answered": answered,
        "refused": sum(load.statuses.values()) - answered,
        "a second": round(rate, 2),
        "cpu ms each": round(1000 * (server.cpu_s() - before) / max(answered, 1), 1),
        "p50 s": latency["p50"],
        "p95 s": latency["p95"],
        "p95 by clients / rate": round(latency["p95"] * rate / number, 2),
    }


def alone(archive: str, cache: str, asked: list[str], seconds: float) -> None:
    """In a process of its own: what the library does without a server."""
    from coin_retrieval.factory import make_retriever, open_archive, parse_generator
    from coin_retrieval.search.query import Query
    from server.wire.schemas import search_answer

    retriever = make_retriever(
        open_archive(Path(archive)), cache_dir=Path(cache), generator=parse_generator("starter")
    )

    def search(report: str) -> int:
        found = retriever.search(Query(report=report, prototypes=PROTOTYPES))
        search_answer(found).model_dump_json()
        return 200

    for report in asked:
        search(report)
    load, ends, turn = Load(), time.monotonic() + seconds, cycle(asked)
    before, start = time.process_time(), time.perf_counter()

    def one(_: int) -> None:
        while time.monotonic() < ends:
            load.timed(lambda: search(next(turn)))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(one, range(2)))
    done = len(load.took_s)
    told = {
        "answered": done,
        "a second": round(done / (time.perf_counter() - start), 2),
        "cpu ms each": round(1000 * (time.process_time() - before) / done, 1),
    }
    print(json.dumps(told))


def model(seconds: float, callers: int) -> None:
    """In a process of its own: what the generator gains from batches."""
    from coin_retrieval.factory import make_generator, parse_generator
    from coin_retrieval.prototypes.shared import SharedPrototyper
    from coin_retrieval.types import Provenance, ReportSource

    generator = make_generator(parse_generator("starter"))
    generator.batch_size = BATCH
    generator.load()
    told = {}
    texts = cycle(reports(900_000, 400))

    def report() -> list[Provenance]:
        return list(generator.plan(ReportSource(next(texts)), n=PROTOTYPES))

    def batch(pictures: int) -> None:
        generator.draw([plan for _ in range(pictures // PROTOTYPES) for plan in report()])

    for pictures in (PROTOTYPES, BATCH):
        batch(pictures)
    for pictures in (PROTOTYPES, BATCH):
        told[f"batches of {pictures}"] = _cost(lambda n=pictures: batch(n), pictures, seconds)
    shared = SharedPrototyper(generator, batch_size=BATCH)
    asked = [report() for _ in range(callers)]

    def together() -> None:
        with ThreadPoolExecutor(callers) as pool:
            list(pool.map(shared.draw, asked))

    told[f"shared by {callers} callers"] = _cost(together, callers * PROTOTYPES, seconds)
    print(json.dumps(told))


def _cost(draw: Callable[[], None], pictures: int, seconds: float) -> dict[str, float]:
    drawn, ends = 0, time.monotonic() + seconds / 2
    before, start = time.process_time(), time.perf_counter()
    while time.monotonic() < ends:
        draw()
        drawn += pictures
    return {
        "pictures": drawn,
        "wall ms a picture": round(1000 * (time.perf_counter() - start) / drawn, 1),
        "cpu ms a picture": round(1000 * (time.process_time() - before) / drawn, 1),
    }


def apart(function: str, *arguments: object) -> Any:
    """What a function of this file prints in a process of its own."""
    call = (
        "import json, sys, served_load; getattr(served_load, sys.argv[1])(*json.loads(sys.argv[2]))"
    )
    told = json.dumps(arguments, default=str)
    path = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-c", call, function, told], check=True, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def thumbnails(server: Server, every_s: float = 0.1) -> Iterator[Load]:
    """A page that goes on fetching small pictures."""
    load, over = Load(), threading.Event()
    asking = Client(server)
    _, body = asking.ask(
        "POST", "/v1/search", {"report": reports(0, 1)[0], "k": 50, "mode": "text"}
    )
    uris = cycle(m["uri"] for case in json.loads(body)["cases"] for m in case["images"])

    def fetch() -> None:
        while not over.wait(every_s):
            load.timed(lambda: asking.ask("GET", next(uris))[0])

    thread = threading.Thread(target=fetch)
    thread.start()
    try:
        yield load
    finally:
        over.set()
        thread.join()


def memory(server: Server, minutes: float, new: Callable[[], str]) -> dict[str, Any]:
    """The server's own memory, every ten seconds, under a gentle mixed load."""
    held, ends, asking = [], time.monotonic() + 60 * minutes, Client(server)
    known = cycle(reports(0, 8))
    while time.monotonic() < ends:
        until = time.monotonic() + 10
        asking.search(new())
        for _ in range(20):
            asking.search(next(known))
        held.append(round(server.memory_mb(), 1))
        time.sleep(max(0.0, until - time.monotonic()))
    third = max(1, len(held) // 3)
    return {
        "samples": len(held),
        "first MB": held[0],
        "highest MB": max(held),
        "median MB, second third": statistics.median(held[third : 2 * third]),
        "median MB, last third": statistics.median(held[2 * third :]),
    }


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--clients", type=int, default=32)
    options.add_argument("--seconds", type=float, default=30)
    options.add_argument("--memory-minutes", type=float, default=0)
    asked = options.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    known = reports(0, 8)
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        server = Server(asked.archive, cache)
        try:
            turn, fresh = cycle(known), count(10_000)
            for report in known:
                Client(server).search(report)
            result = {
                "cached": {
                    f"{asked.clients} clients": clients(
                        server, asked.clients, asked.seconds, lambda: next(turn)
                    )
                },
            }

            def new() -> str:
                return reports(next(fresh), 1)[0]

            with thumbnails(server) as idle:
                time.sleep(asked.seconds / 4)
            drawn = {"one client": clients(server, 1, asked.seconds / 2, new)}
            with thumbnails(server) as small:
                many = clients(server, asked.clients, 2 * asked.seconds, new)
            drawn[f"{asked.clients} clients"] = many
            result["drawn anew"] = drawn
            result["thumbnails, s"] = {
                name: quantiles(load.took_s, digits=4) | {"fetched": len(load.took_s)}
                for name, load in (("while nothing is drawn", idle), ("while drawing", small))
            }
            if asked.memory_minutes:
                result["memory"] = {"server": memory(server, asked.memory_minutes, new)}
        finally:
            server.stop()
        cached = result["cached"][f"{asked.clients} clients"]
        result["cached"]["without HTTP"] = apart(
            "alone", asked.archive, cache / "prototypes", known, asked.seconds
        )
        result["model alone"] = apart("model", asked.seconds, asked.clients)
    without, batches = result["cached"]["without HTTP"], result["model alone"]
    one, gain = result["drawn anew"]["one client"], {}
    for clock, of_model, of_server in (
        ("wall", "wall ms a picture", many["a second"] / one["a second"]),
        ("cpu", "cpu ms a picture", one["cpu ms each"] / many["cpu ms each"]),
    ):
        few = batches[f"batches of {PROTOTYPES}"][of_model]
        own = few / batches[f"batches of {BATCH}"][of_model]
        shared = few / batches[f"shared by {asked.clients} callers"][of_model]
        gain[clock] = {
            "cached: with / without HTTP": round(
                cached["a second"] / without["a second"]
                if clock == "wall"
                else without["cpu ms each"] / cached["cpu ms each"],
                2,
            ),
            "model's gain": round(own, 2),
            "shared": round(shared, 2),
            "shared / model": round(shared / own, 2),
            "whole answers": round(of_server, 2),
        }
    result["ratios"] = gain
    usage = resource.getrusage(resource.RUSAGE_SELF)
    result["clients' cpu s"] = round(usage.ru_utime + usage.ru_stime, 1)
    show({"machine": machine(), **result}, result_tables(result), as_json=asked.json)


def result_tables(result: dict[str, Any]) -> dict[str, Any]:
    return {name: rows for name, rows in result.items() if isinstance(rows, dict)}


if __name__ == "__main__":
    main()
