"""Warm searches in one process: milliseconds by stage, medians over reports.

    python bench/warm_search.py ARCHIVE [--reports 20] [--mode fused] [--prototypes 4]

Prints one JSON line: for prototypes drawn anew, and for the same searches with cached prototypes.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from coin_retrieval.factory import make_retriever, open_archive, parse_generator
from coin_retrieval.retrieval.query import Query
from coin_retrieval.training.captions import held_out_reports
from coin_retrieval.types import SearchMode


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--reports", type=int, default=20)
    parser.add_argument("--mode", default="fused", choices=["fused", "prototype", "text"])
    parser.add_argument("--prototypes", type=int, default=4)
    parser.add_argument("--generator", default="starter")
    asked = parser.parse_args()
    reports = [texts[0] for texts in held_out_reports().values()][: asked.reports]
    with tempfile.TemporaryDirectory() as cache:
        retriever = make_retriever(
            open_archive(asked.archive),
            cache_dir=Path(cache),
            generator=parse_generator(asked.generator),
        )

        def stages() -> dict[str, float]:
            timings = [
                retriever.search(
                    Query(report, mode=SearchMode(asked.mode), prototypes=asked.prototypes)
                ).timings_ms
                for report in reports
            ]
            names = dict.fromkeys(name for timing in timings for name in timing)
            return {
                name: round(statistics.median(t.get(name, 0.0) for t in timings), 2)
                for name in names
            }

        retriever.search(Query("warm-up", mode=SearchMode(asked.mode)))
        measured = {"drawn_ms": stages(), "cached_ms": stages()}
    print(json.dumps({"mode": asked.mode, "reports": len(reports), **measured}))


if __name__ == "__main__":
    main()
