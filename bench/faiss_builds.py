"""CPU speed of whichever FAISS build is installed: prints one JSON line.

    python -m venv /tmp/v && /tmp/v/bin/pip install faiss-cpu && /tmp/v/bin/python faiss_builds.py

Needs nothing but faiss and numpy, so that each build (faiss-cpu, faiss-gpu, faiss-gpu-cuvs) can be
timed in an environment of its own. Each figure is the best of ``--repeats`` runs, once by the clock
and once in processor time, which a busy machine disturbs less; with one thread the two would be the
same on an idle machine.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from importlib.metadata import distributions

import faiss
import numpy as np

SIZES = ((12_909, 256), (200_000, 256))
BATCHES = (1, 64)
K = 10


def build_name() -> str:
    found = [d for d in distributions() if (d.metadata["Name"] or "").startswith("faiss")]
    return ", ".join(f"{d.metadata['Name']} {d.version}" for d in found)


def unit_rows(n: int, dim: int, seed: int) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((n, dim), dtype=np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def times_ms(index: faiss.Index, queries: np.ndarray, repeats: int) -> dict[str, float]:
    index.search(queries, K)
    wall, cpu = [], []
    for _ in range(repeats):
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        index.search(queries, K)
        cpu.append((time.process_time() - cpu_start) * 1000)
        wall.append((time.perf_counter() - wall_start) * 1000)
    return {"wall_ms": round(min(wall), 3), "cpu_ms": round(min(cpu), 3)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=50)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(arguments.threads)
    searches = {}
    for rows, dim in SIZES:
        index = faiss.IndexIDMap2(faiss.IndexFlatIP(dim))
        index.add_with_ids(unit_rows(rows, dim, 0), np.arange(rows))
        for batch in BATCHES:
            repeats = max(3, arguments.repeats // (1 if rows < 50_000 else 5))
            name = f"flat {rows}x{dim}, {batch} at once"
            searches[name] = times_ms(index, unit_rows(batch, dim, 1), repeats)
    print(
        json.dumps(
            {
                "build": build_name(),
                "compiled": faiss.get_compile_options().split(),
                "threads": arguments.threads,
                "machine": platform.machine(),
                "searches": searches,
            }
        )
    )


if __name__ == "__main__":
    main()
