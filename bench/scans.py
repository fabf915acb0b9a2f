"""What a query costs in a scan of all rows, by how many are asked at once and by what multiplies.

    OMP_NUM_THREADS=1 python bench/scans.py --rows 50000 --dim 256 512 1024

Milliseconds of CPU a query, median of nine: FAISS's own loop over the rows, a product of matrices
(in blocks of so many queries), and what the program does.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

import numpy as np

from coin_retrieval.stores.faiss_module import faiss

ASKED = (1, 2, 4, 8, 16, 64, 256, 1000)
BLOCKS = (64, 256, 4096)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=50_000)
    parser.add_argument("--dim", type=int, nargs="+", default=[256])
    options = parser.parse_args()
    columns = ["loop", *(f"blocks of {size}" for size in BLOCKS), "the program"]
    print(f"{'dim':>6}{'asked':>7}" + "".join(f"{column:>16}" for column in columns))
    for dim in options.dim:
        random = np.random.default_rng(0)
        index = faiss.IndexFlatIP(dim)
        index.add(random.standard_normal((options.rows, dim), dtype=np.float32))
        for asked in ASKED:
            queries = random.standard_normal((asked, dim), dtype=np.float32)
            with _multiplying(asked * dim + 1, BLOCKS[-1]):
                costs = [_ms(lambda: index.search(queries, 10)) / asked]  # noqa: B023
            for size in BLOCKS:
                with _multiplying(1, size):
                    costs.append(_ms(lambda: index.search(queries, 10)) / asked)  # noqa: B023
            costs.append(_ms(lambda: index.search(queries, 10)) / asked)  # noqa: B023
            print(f"{dim:>6}{asked:>7}" + "".join(f"{cost:>16.3f}" for cost in costs), flush=True)


@contextmanager
def _multiplying(at_least: int, block: int) -> Iterator[None]:
    names = ("distance_compute_blas_threshold", "distance_compute_blas_query_bs")
    before = [getattr(faiss.cvar, name) for name in names]
    for name, value in zip(names, (at_least, block), strict=True):
        setattr(faiss.cvar, name, value)
    try:
        yield
    finally:
        for name, value in zip(names, before, strict=True):
            setattr(faiss.cvar, name, value)


def _ms(act: Callable[[], Any]) -> float:
    times = []
    for _ in range(9):
        started = time.process_time()
        act()
        times.append(1000 * (time.process_time() - started))
    return median(times)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main()
