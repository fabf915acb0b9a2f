"""What a monitor reads at /metrics, in Prometheus' text format: counts and times, no contents."""

from __future__ import annotations

from functools import partial

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import Scope

from server.audit.events import told
from server.cds.models import REASONS
from server.queues import Queues

_REASONS = frozenset(reason.code for reason in REASONS)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """The figures of one server process."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._requests = Counter(
            "coin_requests", "Requests answered.", ["route", "method", "status"], registry=registry
        )
        self._latency = Histogram(
            "coin_request_seconds", "From request to answer.", ["route"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._stages = Histogram(
            "coin_search_stage_seconds", "Stages of a search.", ["stage"],
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._searches = Counter(
            "coin_searches", "Searches answered, by mode and by what closeness said.",
            ["mode", "close", "drawn"], registry=registry,
        )  # fmt: skip
        self._closeness = Histogram(
            "coin_closeness_score", "Closeness of the nearest cases.", ["mode"],
            buckets=tuple(step / 20 for step in range(-4, 21)), registry=registry,
        )  # fmt: skip
        self._cards = Counter(
            "coin_cds_cards", "What became of cards.", ["outcome", "reason"], registry=registry
        )
        self._queued = Gauge(
            "coin_queue_held", "Requests at work or waiting.", ["queue"], registry=registry
        )
        self._archive = Gauge(
            "coin_archive_version", "The archive's version that answers.", registry=registry
        )
        self._problems = Gauge(
            "coin_problems", "What the operator should see to.", ["of"], registry=registry
        )

    def watch(self, queues: Queues) -> None:
        """Read the queues' lengths whenever somebody looks."""
        for name, queue in queues.named.items():
            self._queued.labels(name).set_function(partial(getattr, queue, "held"))

    def answered(
        self, scope: Scope, *, route: str, method: str, status: int, seconds: float
    ) -> None:
        """Count one request, and the search that it was."""
        self._requests.labels(route, method, str(status)).inc()
        self._latency.labels(route).observe(seconds)
        event = told(scope)
        if event is None or not event.mode:
            return
        close = {True: "yes", False: "no", None: "not judged"}[event.close]
        self._searches.labels(event.mode, close, "yes" if event.drawn else "no").inc()
        if event.score is not None:
            self._closeness.labels(event.mode).observe(event.score)
        for stage, milliseconds in event.timings_ms:
            self._stages.labels(stage).observe(milliseconds / 1000)

    def card(self, outcome: str, reason: str) -> None:
        """Count what became of a card of CDS Hooks."""
        self._cards.labels(outcome, reason if reason in _REASONS else "").inc()

    def state(self, *, version: str, problems: list[str]) -> None:
        """The state that /readyz would tell."""
        self._archive.set(int(version) if version.isdigit() else 0)
        for of in ("archive", "cache"):
            self._problems.labels(of).set(any(told.startswith(of) for told in problems))

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self._registry)
