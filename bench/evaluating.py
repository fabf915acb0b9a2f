"""What measuring an archive costs beside the drawing: `coin evaluate retrieval`, `coin calibrate`.

    python bench/evaluating.py ARCHIVE evaluate|calibrate [--queries CSV] [--reports 465]
        [--modes text,prototype,fused] [--processes 3] [--json]

The command runs once so that everything is drawn and kept, then in fresh processes which find it
all in the cache: what these take is reading, embedding, searching, choosing and counting, the
program's start included. ``COIN_CACHE_DIR`` says where drawings are kept. It runs from any checkout
(PYTHONPATH), so that two can be compared.
"""

from __future__ import annotations

import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import measuring

COMMAND = "import sys; from coin_retrieval.cli.main import main; sys.exit(main())"


def chosen(path: Path | None, count: int) -> str:
    """A CSV of the first reports of another, or of the held-out wordings of the other laboratories'
    and this one's findings."""
    if path is None:
        from coin_retrieval.wordings.captions import held_out_reports

        rows = [
            {"report": report, "finding": finding}
            for finding, reports in held_out_reports().items()
            for report in reports
        ]
    else:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    rows = rows[:count]
    with tempfile.NamedTemporaryFile("w", suffix=".csv", delete=False, newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return file.name


def run(words: list[str]) -> dict[str, float]:
    """One process of the command: its seconds by the wall and of processor time."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run(  # noqa: S603
        [sys.executable, "-c", COMMAND, *words],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"wall_s": time.perf_counter() - start, "cpu_s": spent}


def main() -> None:
    parser = measuring.parser(__doc__)
    parser.add_argument("command", choices=("evaluate", "calibrate"))
    parser.add_argument("--queries", type=Path, help="CSV with report and finding")
    parser.add_argument("--reports", type=int, default=500, help="the first so many of them")
    parser.add_argument("--modes", default="text,prototype,fused", help="of an evaluation")
    parser.add_argument("--processes", type=int, default=3)
    given = parser.parse_args()
    queries = chosen(given.queries, given.reports)
    words = ["calibrate", given.archive, "--dry-run"]
    if given.command == "evaluate":
        words = ["evaluate", "retrieval", given.archive, "--modes", given.modes]
    words += ["--queries", queries, "--json"]
    first = run(words)
    runs = [run(words) for _ in range(given.processes)]
    Path(queries).unlink()
    kept = {name: measuring.quantiles([one[name] for one in runs], digits=1) for name in first}
    result = {
        "command": given.command,
        "reports": given.reports,
        "machine": measuring.machine(),
        "with drawing": {name: round(value, 1) for name, value in first.items()},
        "drawn already": kept,
        "all": [one["cpu_s"] for one in runs],
    }
    if given.json:
        print(json.dumps(result))
    else:
        measuring.show(result, {"drawn already": kept}, as_json=False)


if __name__ == "__main__":
    main()
