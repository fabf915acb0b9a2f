"""Warm searches in one process, by stage: new reports, drawn reports, reports asked again.

    python bench/warm_search.py ARCHIVE [--reports 40] [--mode fused] [--prototypes 4]
        [--clock processor] [--json]

- drawn: prototypes are drawn anew;
- cached: a new process on the same cache would do this: prototypes lie there, the text is new;
- again: the same report once more (another filter, more cases): its embedding is remembered too.

Milliseconds, p50 and p95 over reports; nothing is written but to a temporary cache. On a busy
machine the wall clock tells how busy it is: ``--clock processor`` with OMP_NUM_THREADS=1 tells what
the stages would take alone.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from coin_retrieval.console.session import share_processors

share_processors()

from measuring import by_stage, machine, parser, reports_of, show  # noqa: E402

from coin_retrieval import timing  # noqa: E402
from coin_retrieval.factory import make_retriever, open_archive, parse_generator  # noqa: E402
from coin_retrieval.search.query import Query  # noqa: E402
from coin_retrieval.search.retriever import Retriever  # noqa: E402
from coin_retrieval.types import SearchMode  # noqa: E402


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--reports", type=int, default=40)
    options.add_argument("--mode", default="fused", choices=["fused", "prototype", "text"])
    options.add_argument("--prototypes", type=int, default=4)
    options.add_argument("--generator", default="starter")
    options.add_argument("--clock", default="wall", choices=["wall", "processor"])
    asked = options.parse_args()
    if asked.clock == "processor":
        timing.perf_counter = time.process_time
    archive = open_archive(Path(asked.archive))
    reports = reports_of(archive.catalog, asked.reports)

    def query(report: str) -> Query:
        return Query(report=report, mode=SearchMode(asked.mode), prototypes=asked.prototypes)

    def ask(retriever: Retriever) -> list[dict[str, float]]:
        return [dict(retriever.search(query(report)).timings_ms) for report in reports]

    with tempfile.TemporaryDirectory() as cache:

        def retriever() -> Retriever:
            made = make_retriever(
                archive, cache_dir=Path(cache), generator=parse_generator(asked.generator)
            )
            made.search(query("A report that warms up every stage."))
            return made

        first = retriever()
        measured = {"drawn": by_stage(ask(first))}
        second = retriever()
        measured |= {"cached": by_stage(ask(second)), "again": by_stage(ask(second))}
    result = {
        "mode": asked.mode,
        "clock": asked.clock,
        "images": len(archive.store),
        "reports": len(reports),
        "prototypes": asked.prototypes,
        "machine": machine(),
        "ms": measured,
    }
    show(result, {f"{name}, ms": rows for name, rows in measured.items()}, as_json=asked.json)


if __name__ == "__main__":
    main()
