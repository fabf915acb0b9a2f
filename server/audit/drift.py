"""Whether what is asked moves away from what the archive holds, from the audit log."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from server.audit.chain import audit_files, records


@dataclass(slots=True)
class Week:
    """The searches of one ISO week, e.g. ``2026-W48``."""

    name: str
    searches: int = 0
    judged: int = 0
    not_close: int = 0
    score_sum: float = 0.0
    scored: int = 0

    @property
    def share_not_close(self) -> float | None:
        """Of the searches that were judged; ``None`` without any."""
        return self.not_close / self.judged if self.judged else None

    @property
    def mean_score(self) -> float | None:
        """Mean closeness; ``None`` without any."""
        return self.score_sum / self.scored if self.scored else None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return asdict(self) | {
            "share_not_close": self.share_not_close,
            "mean_score": self.mean_score,
        }


def weeks(folder: Path) -> list[Week]:
    """Every week with searches, oldest first."""
    found: dict[str, Week] = {}
    for path in audit_files(folder):
        for record in records(path):
            if "mode" not in record:
                continue
            year, number, _ = datetime.fromisoformat(record["at"]).isocalendar()
            name = f"{year}-W{number:02d}"
            week = found.setdefault(name, Week(name))
            week.searches += 1
            if "close" in record:
                week.judged += 1
                week.not_close += not record["close"]
            if "score" in record:
                week.score_sum += record["score"]
                week.scored += 1
    return [found[name] for name in sorted(found)]
