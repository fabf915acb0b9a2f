"""From a report to its prototypes: drawn once, then found in the cache."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, lru_cache
from threading import Lock

from coin_retrieval.generation.base import Generator
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.prototypes.prototype import Drawing, Prototype
from coin_retrieval.reports.plain import read_report
from coin_retrieval.timing import Stopwatch
from coin_retrieval.types import GenerationRequest, Provenance, content_digest

_PLANS_REMEMBERED = 256
_OF_THE_QUERY = ("prompt", "seed", "dropped_text", "generator")


class PrototypeDrawer:
    """Draws what the cache lacks. Safe for several threads.

    The generator is not: its lock is held only while it computes, and a request that was planned
    before and lies in the cache whole never waits for it.
    """

    def __init__(self, generator: Generator, cache: PrototypeCache) -> None:
        self.name = generator.name
        self._generator = generator
        self._cache = cache
        self._lock = Lock()
        self._plan = lru_cache(_PLANS_REMEMBERED)(self._plan_alone)

    @cached_property
    def identity(self) -> str:
        """SHA-256 (hex) of all that shapes its pictures besides report and seed; nothing is drawn.

        Weights, LoRA, scheduler, dtype, steps, guidance and size: what was measured with one
        identity says nothing about another.
        """
        (plan,) = self._plan(GenerationRequest("identity", n=1))
        made_of = plan.as_dict()
        return content_digest({k: v for k, v in made_of.items() if k not in _OF_THE_QUERY})

    def draw(self, report: str, *, n: int = 4, seed: int = 0) -> Drawing:
        """Prototypes of a report from seeds ``seed`` … ``seed + n - 1``.

        Raises:
            ReportError, InputError: the report or ``n`` cannot be used.
            GenerationError: a picture came out blank or non-finite.
            SettingsError: the cache cannot be written.
        """
        watch = Stopwatch()
        with watch.stage("prompt"):
            text = read_report(report).text
        prototypes = self.prototypes(GenerationRequest(text, n=n, seed=seed), watch)
        dropped = prototypes[0].provenance.dropped_text
        return Drawing(text, dropped, tuple(prototypes), watch.read_ms())

    def draw_ahead(self, reports: Sequence[str], *, n: int, seeds: Sequence[int]) -> None:
        """Let the cache have ``n`` prototypes of every report from its seed on, drawn in batches.

        :meth:`draw` then finds them. Raises as it does.
        """
        with self._lock:
            plans = [
                plan
                for report, seed in zip(reports, seeds, strict=True)
                for plan in self._generator.plan(
                    GenerationRequest(read_report(report).text, n=n, seed=seed)
                )
            ]
            self._cache.get_or_draw(plans, self._generator.draw)

    def prototypes(self, request: GenerationRequest, watch: Stopwatch) -> list[Prototype]:
        """Prototype i is of seed ``request.seed + i``. Raises as :meth:`draw` does."""
        with watch.stage("prompt"):
            plans = self._plan(request)
        with watch.stage("generate"):
            cached = [here for plan in plans if (here := self._cache.get(plan)) is not None]
            if len(cached) == len(plans):
                return cached
            with self._lock:
                # asked again: another caller may have drawn them while this one waited
                return self._cache.get_or_draw(plans, self._generator.draw)

    def _plan_alone(self, request: GenerationRequest) -> tuple[Provenance, ...]:
        with self._lock:
            return tuple(self._generator.plan(request))
