"""Where the time of one query went."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter

STAGES = ("prompt", "generate", "encode", "search", "catalog", "total")


class Stopwatch:
    """Milliseconds by stage, summed over a stage's visits; every stage is there, 0 if not visited.

    ``total`` runs from construction to the last reading. One stopwatch a query: not shared.
    """

    def __init__(self) -> None:
        self._began = perf_counter()
        self._ms = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the time inside to ``name``, also when it raises."""
        start = perf_counter()
        try:
            yield
        finally:
            self._ms[name] += (perf_counter() - start) * 1000

    def read_ms(self) -> dict[str, float]:
        """Milliseconds by stage so far."""
        return self._ms | {"total": (perf_counter() - self._began) * 1000}
