"""From a source to its prototypes: drawn once, then found in the cache."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from functools import lru_cache
from threading import Lock

from coin_retrieval.language.understanding import understand
from coin_retrieval.progress import Progress, silent
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.prototypes.prototype import Drawing, Prototype
from coin_retrieval.reports.normalise import tidy
from coin_retrieval.reports.plain import read_for_search
from coin_retrieval.timing import Stopwatch
from coin_retrieval.types import PictureSource, Provenance, ReportSource, Sample, Source

_PLANS_REMEMBERED = 256


class PrototypeDrawer:
    """Draws what the cache lacks. Safe for several threads.

    A serial prototyper draws for one at a time: its lock is held only while it computes, and what
    lies in the cache whole never waits for it.
    """

    def __init__(self, prototyper: Prototyper, cache: PrototypeCache) -> None:
        self.name = prototyper.name
        self._prototyper = prototyper
        self._cache = cache
        self._lock = Lock() if prototyper.serial else nullcontext()
        self._plan = lru_cache(_PLANS_REMEMBERED)(prototyper.plan)

    @property
    def identity(self) -> str:
        """What the prototyper is; see :class:`.Prototyper`."""
        return self._prototyper.identity

    def plan(self, source: Source | str, *, n: int = 4, seed: int = 0) -> tuple[Provenance, ...]:
        """What would be drawn from seeds ``seed`` … ``seed + n - 1``; no model computes.

        Args:
            source: a text is what is searched of a report, as :func:`.read_for_search` tells.

        Raises:
            ReportError, InputError, UnsupportedError: as :meth:`.Prototyper.plan` does.
        """
        if isinstance(source, PictureSource):
            # a plan that is remembered would keep a patient's picture with it
            return self._prototyper.plan(source, n=n, seed=seed)
        if isinstance(source, str):
            source = ReportSource(source)
        return self._plan(source, n=n, seed=seed)

    @property
    def varies(self) -> bool:
        """Whether the prototyper draws from pictures."""
        return PictureSource in self._prototyper.sources

    def vary(self, plans: Sequence[Provenance], *, on: Progress = silent) -> list[Sample]:
        """Drawings from a picture, which may be a patient's: they are never kept.

        Raises:
            GenerationError: a picture came out blank or non-finite.
        """
        with self._lock:
            return self._prototyper.draw(plans, on=on)

    def knows(self, text: str) -> bool:
        """Whether the prototyper learned to draw what the text states."""
        with self._lock:
            return self._prototyper.knows(ReportSource(text))

    def cached(self, plans: Sequence[Provenance]) -> list[Prototype | None]:
        """The prototypes of plans as far as the cache has them, in order; nothing is drawn."""
        return [self._cache.get(plan) for plan in plans]

    def draw_planned(
        self, plans: Sequence[Provenance], watch: Stopwatch, *, on: Progress = silent
    ) -> list[Prototype]:
        """The prototypes of plans, in order: from the cache, else drawn and kept.

        Raises:
            InputError: planned by another prototyper.
            UndrawableError: the prototyper never learned to draw a report.
            GenerationError: a picture came out blank or non-finite; those before it are kept.
            CacheError: the cache cannot be written.
        """
        with watch.stage("generate"):
            found = dict(zip(plans, self.cached(plans), strict=True))

            def keep(sample: Sample) -> None:
                found[sample.provenance] = self._cache.put(sample)

            if None in found.values():
                with self._lock:
                    # asked again: another caller may have drawn them while this one waited
                    found |= {p: self._cache.get(p) for p, here in found.items() if here is None}
                    missing = [plan for plan, here in found.items() if here is None]
                    if missing:
                        self._cache.require_writable()
                        self._prototyper.draw(missing, on=on, drawn=keep)
            return [here for plan in plans if (here := found[plan]) is not None]

    def draw(self, report: str, *, n: int = 4, seed: int = 0, on: Progress = silent) -> Drawing:
        """Prototypes of what a report affirms, from seeds ``seed`` … ``seed + n - 1``.

        Its misspelt words are corrected, as a search does.

        Raises:
            ReportError, InputError: the report, ``n`` or ``seed`` cannot be used.
            GenerationError, CacheError: as :meth:`draw_planned` does.
        """
        watch = Stopwatch()
        with watch.stage("prompt"):
            language = understand(tidy(report))
            text = read_for_search(language.text)[1].text
            plans = self.plan(text, n=n, seed=seed)
        prototypes = self.draw_planned(plans, watch, on=on)
        return Drawing(text, language, plans[0].dropped_text, tuple(prototypes), watch.read_ms())
