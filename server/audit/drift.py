"""Whether what is asked moves away from what the archive holds, from the audit log."""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from datetime import datetime
from pathlib import Path

from coin_retrieval.presenting.views import DriftView, WeekView
from server.audit.chain import audit_files

_Weeks = defaultdict[str, Counter[str]]


class Drift:
    """The weeks of a log that goes on being written: what was read is not read again.

    Safe for several threads.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._read: dict[Path, tuple[int, _Weeks]] = {}

    def view(self) -> DriftView:
        """Every week with searches, oldest first."""
        with self._lock:
            self._read = {path: self._read_on(path) for path in audit_files(self._folder)}
            weeks: _Weeks = defaultdict(Counter)
            for _, found in self._read.values():
                for name, counts in found.items():
                    weeks[name].update(counts)
        return DriftView(weeks=[_week(name, weeks[name]) for name in sorted(weeks)])

    def _read_on(self, path: Path) -> tuple[int, _Weeks]:
        at, weeks = self._read.get(path, (0, defaultdict(Counter)))
        with path.open("rb") as lines:
            lines.seek(at)
            for line in lines:
                if not line.endswith(b"\n"):
                    break
                at += len(line)
                record = json.loads(line)
                if "mode" not in record:
                    continue
                year, number, _ = datetime.fromisoformat(record["at"]).isocalendar()
                counts = weeks[f"{year}-W{number:02d}"]
                counts["searches"] += 1
                if "close" in record:
                    counts["judged"] += 1
                    counts["not close"] += not record["close"]
                if "score" in record:
                    counts["scored"] += 1
                    counts["score"] += record["score"]
        return at, weeks


def _week(name: str, counts: Counter[str]) -> WeekView:
    judged, scored = counts["judged"], counts["scored"]
    return WeekView(
        name=name,
        searches=counts["searches"],
        judged=judged,
        share_not_close=counts["not close"] / judged if judged else None,
        mean_score=counts["score"] / scored if scored else None,
    )
