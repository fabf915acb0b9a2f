"""What the benches share: two clocks, quantiles, reports to ask, one way to print.

Every figure is taken twice: by the wall clock and in processor time (user + system), which a busy
machine disturbs less. With one thread and nothing else running, the two are the same.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Iterable, Mapping, Sequence
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
