"""How long `coin search --server` takes from nothing, when the server has the prototypes already.

    python bench/served_search.py ARCHIVE [--processes 20] [--json]

Starts `coin-serve ARCHIVE` on a free port, asks it once, and then times fresh processes that ask
the same: the wall clock has the server's search in it, the processor time is the client's alone.
"""

from __future__ import annotations

import re
import resource
import signal
import subprocess
import sys
import time

from measuring import machine, parser, quantiles, show

from coin_retrieval.client import Client

REPORT = "Koilocytes with perinuclear halos"


def command(module: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", f"from {module} import main; main()", *arguments]


def ask(address: str, *options: str) -> dict[str, float]:
    """One process of the program."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    asked = command("coin_retrieval.cli.main", "search", "--server", address, "--report", REPORT)
    subprocess.run([*asked, *options], check=True, capture_output=True)  # noqa: S603 - our own
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": time.perf_counter() - start, "processor_s": processor_s}


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--processes", type=int, default=20)
    asked = options.parse_args()
    server = subprocess.Popen(  # noqa: S603 - our own
        command("server.cli.main", asked.archive, "--port", "0"), stderr=subprocess.PIPE, text=True
    )
    try:
        lines = iter(server.stderr.readline, "") if server.stderr else iter(())
        address = next(found[1] for line in lines if (found := re.search(r"(http://\S+)", line)))
        with Client(address) as client:
            while client.ready().status != "ready":
                time.sleep(0.5)
        ask(address)
        runs = {
            name: [ask(address, *extra) for _ in range(asked.processes)]
            for name, extra in (("json", ["--json"]), ("tables", []))
        }
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()
    rows = {
        name: {
            f"{clock} {which}": value
            for clock in ("wall_s", "processor_s")
            for which, value in quantiles(one[clock] for one in found).items()
        }
        for name, found in runs.items()
    }
    result = {"processes": asked.processes, "machine": machine(), "seconds": rows}
    show(result, {"seconds": rows}, as_json=asked.json)


if __name__ == "__main__":
    main()
