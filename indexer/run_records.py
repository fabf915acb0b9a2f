"""What a build or an addition did, and what it took: a file for whoever runs the archive."""

from __future__ import annotations

import resource
import sys
import time
from datetime import UTC, datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict

from coin_retrieval import __version__
from coin_retrieval.archive import ArchiveLayout
from coin_retrieval.archive.manifest import SourceEntry
from coin_retrieval.errors import CoinError
from coin_retrieval.files import PARTIAL, replace_file

KEPT = 100
"""Of the newest runs."""


class RunRecord(BaseModel):
    """One run. It names sources, and no case and no picture.

    ``encoding_s`` is how long the encoder was busy: where that is much less than ``elapsed_s``,
    more workers help, else only a faster network. ``cpu_s`` and ``peak_memory_mb`` are the
    process's; ``version`` is ``None``, and ``error`` says why, where nothing was published.
    """

    model_config = ConfigDict(frozen=True)

    program: str = f"coin-retrieval {__version__}"
    command: str
    started_at: AwareDatetime
    elapsed_s: float
    cpu_s: float
    peak_memory_mb: int
    encoder: str
    encoding_s: float
    workers: int
    batch_size: int
    sources: tuple[SourceEntry, ...]
    rows: int
    embedded: int
    skipped: int
    version: str | None = None
    error: str | None = None

    @property
    def rows_per_s(self) -> float:
        """Rows, read or known already, a second."""
        return self.rows / max(self.elapsed_s, 1e-3)


class RunClock:
    """Started with a run."""

    def __init__(self) -> None:
        self.started_at = datetime.now(UTC)
        self._began = time.perf_counter()
        self._cpu_began = time.process_time()

    def taken(self) -> dict[str, object]:
        """The fields of a record that say what a run took until now."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return {
            "started_at": self.started_at,
            "elapsed_s": round(time.perf_counter() - self._began, 3),
            "cpu_s": round(time.process_time() - self._cpu_began, 3),
            # in bytes there, in kilobytes elsewhere
            "peak_memory_mb": round(peak / (1e6 if sys.platform == "darwin" else 1e3)),
        }


def write_record(layout: ArchiveLayout, record: RunRecord) -> str:
    """Keep it below the archive's ``runs/``; returns why it could not be, empty if it could."""
    name = f"{record.started_at:%Y-%m-%dT%H-%M-%SZ}.json"
    try:
        for left in layout.runs.glob(f"*{PARTIAL}"):
            left.unlink()
        replace_file(layout.runs / name, record.model_dump_json(indent=2))
        for old in sorted(layout.runs.glob("*.json"))[:-KEPT]:
            old.unlink()
    except OSError as error:
        return f"what this run took could not be written down ({error.strerror or error})"
    return ""


def said(error: BaseException) -> str:
    """An error without its value, which may name a case."""
    name = type(error).__name__
    return f"{name}: {error.problem}" if isinstance(error, CoinError) else name
