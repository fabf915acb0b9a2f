"""What an endpoint says of its answer to the audit log and to the metrics: never a report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.types import Scope

from coin_retrieval.presenting.answer import SearchAnswer

_KEY = "coin.event"


@dataclass(frozen=True, slots=True)
class Event:
    """One answer. ``private`` is hashed with the log's key before it is written anywhere."""

    archive_version: str
    private: str = ""
    plan: str = ""
    mode: str = ""
    cases: tuple[str, ...] = ()
    picture: int | None = None
    close: bool | None = None
    score: float | None = None
    drawn: bool = False
    timings_ms: tuple[tuple[str, float], ...] = ()

    def facts(self) -> dict[str, Any]:
        """What the audit log keeps, without what is empty."""
        found = {
            "archive": self.archive_version,
            "plan": self.plan,
            "mode": self.mode,
            "cases": list(self.cases),
            "picture": self.picture,
            "close": self.close,
            "score": None if self.score is None else round(self.score, 4),
        }
        return {name: value for name, value in found.items() if value not in ("", [], None)}


def of_search(answer: SearchAnswer) -> Event:
    """The event of an answered search."""
    return Event(
        archive_version=answer.plan.archive_version,
        private=answer.query.report or (answer.plan.image or ""),
        plan=answer.plan_digest,
        mode=answer.query.mode,
        cases=tuple(case.case_id for case in answer.cases),
        close={"yes": True, "no": False}.get(answer.closeness.verdict),
        score=answer.closeness.score,
        drawn=bool(answer.prototypes or answer.variations or answer.searched_with),
        timings_ms=tuple(answer.timings_ms.items()),
    )


def tell(scope: Scope, event: Event) -> None:
    """Say what this request is answered with."""
    scope[_KEY] = event


def told(scope: Scope) -> Event | None:
    """What the endpoint said, if it did."""
    found: Event | None = scope.get(_KEY)
    return found
