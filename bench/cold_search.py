"""How long one `coin search` takes from nothing: fresh processes, split into what they wait for.

    python bench/cold_search.py ARCHIVE [--processes 3] [--mode fused] [--json]

Every process runs the program itself, with a report of its own and an empty cache, so that
prototypes are drawn. Seconds by the wall clock and of processor time:

- interpreter: until the program's first line, and its end;
- import: modules, wherever in the program they are imported;
- load: the archive, digests of files, everything else before and after the answer;
- answer: the plan and the search, with the networks that it loads and the prototypes it draws.
"""

from __future__ import annotations

import builtins
import importlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_CHILD = "--measured-into"


class Timer:
    """Time inside outermost calls of what it wraps, less what ``without`` took meanwhile."""

    def __init__(self, without: Timer | None = None) -> None:
        self.wall_s = self.cpu_s = 0.0
        self._depth = 0
        self._without = without

    def wrap(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*args: Any, **options: Any) -> Any:
            if self._depth:
                return function(*args, **options)
            self._depth = 1
            other = self._without
            before = (other.wall_s, other.cpu_s) if other else (0.0, 0.0)
            wall, cpu = time.perf_counter(), time.process_time()
            try:
                return function(*args, **options)
            finally:
                self._depth = 0
                after = (other.wall_s, other.cpu_s) if other else (0.0, 0.0)
                self.wall_s += time.perf_counter() - wall - (after[0] - before[0])
                self.cpu_s += time.process_time() - cpu - (after[1] - before[1])

        return timed


def child(into: Path, arguments: list[str]) -> None:
    """Be the program, and write down where the time went."""
    wall, cpu = time.perf_counter(), time.process_time()
    imports = Timer()
    builtins.__import__ = imports.wrap(builtins.__import__)
    importlib.import_module = imports.wrap(importlib.import_module)
    from coin_retrieval.cli.main import main as program
    from coin_retrieval.search.retriever import Retriever

    answer = Timer(without=imports)
    Retriever.plan = answer.wrap(Retriever.plan)  # type: ignore[method-assign]
    Retriever.run = answer.wrap(Retriever.run)  # type: ignore[method-assign]
    sys.argv = ["coin", *arguments]
    try:
        program()
    finally:
        total = (time.perf_counter() - wall, time.process_time() - cpu)
        split = {
            "import": (imports.wall_s, imports.cpu_s),
            "load": (
                total[0] - imports.wall_s - answer.wall_s,
                total[1] - imports.cpu_s - answer.cpu_s,
            ),
            "answer": (answer.wall_s, answer.cpu_s),
        }
        into.write_text(json.dumps(split))


def run(archive: str, mode: str, number: int, folder: Path) -> dict[str, dict[str, float]]:
    into, cache = folder / f"{number}.json", folder / f"cache-{number}"
    report = f"Smear {number}: enlarged nuclei with irregular membranes and coarse chromatin."
    arguments = ["search", archive, "--report", report, "--mode", mode, "--json"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(  # noqa: S603 - this very file
        [sys.executable, __file__, _CHILD, str(into), *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"COIN_CACHE_DIR": str(cache)},
    )
    wall = time.perf_counter() - start
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    split = json.loads(into.read_text())
    inside = [sum(part[clock] for part in split.values()) for clock in (0, 1)]
    split = {"interpreter": (wall - inside[0], cpu - inside[1])} | split | {"total": (wall, cpu)}
    return {
        name: {"wall_s": wall_s, "processor_s": cpu_s} for name, (wall_s, cpu_s) in split.items()
    }


def main() -> None:
    from measuring import machine, parser, quantiles, show

    options = parser(__doc__)
    options.add_argument("--processes", type=int, default=3)
    options.add_argument("--mode", default="fused", choices=["fused", "prototype", "text"])
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = [run(asked.archive, asked.mode, i, Path(folder)) for i in range(asked.processes)]
    rows = {
        stage: {
            f"{clock} {name}": value
            for clock in ("wall_s", "processor_s")
            for name, value in quantiles(one[stage][clock] for one in runs).items()
        }
        for stage in runs[0]
    }
    result = {"mode": asked.mode, "processes": len(runs), "machine": machine(), "seconds": rows}
    show(result, {"seconds": rows}, as_json=asked.json)


if __name__ == "__main__":
    if _CHILD in sys.argv[1:2]:
        child(Path(sys.argv[2]), sys.argv[3:])
    else:
        main()
