"""What the benches share: two clocks, quantiles, reports to ask, one way to print.

Every figure is taken twice: by the wall clock and in processor time (user + system), which a busy
machine disturbs less. With one thread and nothing else running, the two are the same.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from coin_retrieval.catalog.base import Catalog


def clocks() -> tuple[float, float]:
    """Seconds by the wall clock, and of processor time of this process."""
    return time.perf_counter(), time.process_time()


def since(start: tuple[float, float]) -> dict[str, float]:
    wall, cpu = clocks()
    return {"wall_s": wall - start[0], "cpu_s": cpu - start[1]}


def quantiles(samples: Iterable[float], *, digits: int = 2) -> dict[str, float]:
    """Median and 95th percentile."""
    ordered = sorted(samples)
    high = (
        statistics.quantiles(ordered, n=20, method="inclusive")[-1]
        if len(ordered) > 1
        else ordered[0]
    )
    return {"p50": round(statistics.median(ordered), digits), "p95": round(high, digits)}


def by_stage(timings: Sequence[Mapping[str, float]], *, digits: int = 2) -> dict[str, Any]:
    names = dict.fromkeys(name for timing in timings for name in timing)
    return {
        name: quantiles((timing.get(name, 0.0) for timing in timings), digits=digits)
        for name in names
    }


def reports_of(catalog: Catalog, count: int) -> list[str]:
    """Reports of ordinary length about what the archive holds, no two the same."""
    findings = list(catalog.values("finding")) or list(catalog.values("diagnosis")) or ["cells"]
    return [
        f"Smear {i + 1}: {findings[i % len(findings)]}. Enlarged nuclei with irregular membranes, "
        "coarse chromatin and scant cytoplasm; the background is clean."
        for i in range(count)
    ]


def machine() -> dict[str, Any]:
    """How many processors, and how many others wait for them: a busy machine's wall times lie."""
    return {"processors": os.cpu_count(), "load": round(os.getloadavg()[0], 2)}


def show(
    result: Mapping[str, Any], tables: Mapping[str, Mapping[str, Any]], *, as_json: bool
) -> None:
    """One JSON object, or a small table a key of ``tables``."""
    if as_json:
        print(json.dumps(result))
        return
    facts = {k: v for k, v in result.items() if not isinstance(v, Mapping) or k == "machine"}
    print(", ".join(f"{name} {_plain(value)}" for name, value in facts.items()))
    for title, rows in tables.items():
        columns = list(dict.fromkeys(name for row in rows.values() for name in row))
        first = max([len(title), *map(len, rows)])
        print("\n" + "  ".join([title.ljust(first), *columns]))
        for name, row in rows.items():
            cells = [str(row.get(column, "")).rjust(len(column)) for column in columns]
            print("  ".join([name.ljust(first), *cells]))


def parser(description: str | None) -> argparse.ArgumentParser:
    """With the options that every bench has."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("archive", help="an archive that coin-index built")
    made.add_argument("--json", action="store_true", help="one JSON object")
    return made


def _plain(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    return str(value)


def in_fresh_process(step: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """What a step costs in a process of its own, once all is imported, and what it answers.

    Memory is the highest that was allocated (RssAnon), without files that are mapped into it.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=_measured, args=(theirs, step, arguments))
    child.start()
    theirs.close()
    try:
        cost: dict[str, Any] = ours.recv()
    except EOFError:
        sys.exit(f"{step.__name__} failed")
    child.join()
    return cost


_watching = [0.0]


def watching_s() -> float:
    """Processor time that looking at memory took so far: no part of what a step costs."""
    return _watching[0]


def _measured(pipe: Any, step: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import tiny_archives  # noqa: F401 - all that a step needs

    import coin_retrieval.stores.faiss  # noqa: F401
    import indexer.removing  # noqa: F401

    begin = _anonymous_mb()
    highest = [begin]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            highest[0] = max(highest[0], _anonymous_mb())
            _watching[0] = time.thread_time()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    started = time.process_time()
    answer = step(*arguments)
    cpu_s = time.process_time() - started - watching_s()
    done.set()
    watcher.join()
    pipe.send({"cpu_s": cpu_s, "mb": highest[0] - begin, "answer": answer})


def _anonymous_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1e3
    return 0.0
