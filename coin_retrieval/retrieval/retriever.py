"""The main job: a report or an image in, the nearest cases out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from threading import Lock

import numpy as np

from coin_retrieval.archive import Archive
from coin_retrieval.config import FusionSettings
from coin_retrieval.encoding.base import Encoder, SupportsText
from coin_retrieval.errors import InputError, UnsupportedError
from coin_retrieval.generation.base import Generator
from coin_retrieval.reports.plain import read_report
from coin_retrieval.retrieval.case_search import CaseSearch
from coin_retrieval.retrieval.fusion import FusedQuery, fuse
from coin_retrieval.retrieval.prototypes import PrototypeCache
from coin_retrieval.retrieval.query import Drawing, Prototype, Query, SearchResult
from coin_retrieval.retrieval.timing import Stopwatch
from coin_retrieval.types import (
    Embeddings,
    GenerationRequest,
    Provenance,
    RgbImage,
    Sample,
    SearchMode,
)

MAX_CASES = 1000
_PLANS_REMEMBERED = 256


class Retriever:
    """Searches one archive. Safe for several threads.

    The encoder and the generator are not: each has a lock, held only while it computes, so that a
    search whose prototypes are drawn already never waits for a drawing.

    Args:
        generator: ``None`` searches by text and image only.

    Raises:
        EncoderMismatchError: the archive was built with another encoder.
    """

    def __init__(
        self,
        archive: Archive,
        encoder: Encoder,
        generator: Generator | None,
        cache: PrototypeCache,
        fusion: FusionSettings,
    ) -> None:
        archive.require_encoder(encoder.spec)
        self.archive = archive
        self.cache = cache
        self._encoder = encoder
        self._generator = generator
        self._fusion = fusion
        self._cases = CaseSearch(archive, method=fusion.method)
        self._encoder_lock = Lock()
        self._generator_lock = Lock()
        self._plan = lru_cache(_PLANS_REMEMBERED)(self._plan_alone)

    @property
    def reads_text(self) -> bool:
        """Whether the archive's encoder embeds texts."""
        return isinstance(self._encoder, SupportsText)

    @property
    def draws(self) -> bool:
        """Whether there is a generator."""
        return self._generator is not None

    def search(self, query: Query) -> SearchResult:
        """The nearest cases of a report or an image.

        Raises:
            ReportError, FilterError, InputError: the query cannot be used.
            UnsupportedError: the mode needs a power that the encoder or the set-up lacks.
            GenerationError: a prototype came out blank or non-finite.
            ArchiveCorruptError: store and catalog disagree.
        """
        watch = Stopwatch()
        mode = self._mode_of(query)
        if not 1 <= query.k <= MAX_CASES:
            raise InputError("k out of range", value=query.k, expected=f"1 to {MAX_CASES} cases")
        if mode is SearchMode.IMAGE:
            text, dropped, prototypes = "", "", ()
            with watch.stage("encode"), self._encoder_lock:
                rows = self._encoder.encode([query.image] if query.image is not None else [])
            fused = FusedQuery(rows, rows, np.ones(1))
        else:
            text, dropped, prototypes, fused = self._understand(query, mode, watch)
        return SearchResult(
            report=text,
            mode=mode,
            dropped_text=dropped,
            prototypes=tuple(prototypes),
            cases=tuple(self._cases.find(fused, query.k, query.where, watch)),
            timings_ms=watch.read_ms(),
        )

    def draw(self, report: str, *, n: int = 4, seed: int = 0) -> Drawing:
        """Prototypes of a report from seeds ``seed`` … ``seed + n - 1``, drawn or from the cache.

        Raises:
            ReportError, InputError: the report or ``n`` cannot be used.
            UnsupportedError: there is no generator.
            GenerationError: a picture came out blank or non-finite.
        """
        watch = Stopwatch()
        with watch.stage("prompt"):
            text = read_report(report).text
        prototypes = self._prototypes(GenerationRequest(text, n=n, seed=seed), watch)
        dropped = prototypes[0].provenance.dropped_text
        return Drawing(text, dropped, tuple(prototypes), watch.read_ms())

    def _mode_of(self, query: Query) -> SearchMode:
        if query.image is not None or query.mode is SearchMode.IMAGE:
            if query.image is None or query.report or query.mode not in (None, SearchMode.IMAGE):
                raise InputError(
                    "a search takes a report or an image",
                    value=f"mode {query.mode}, {'an' if query.image is not None else 'no'} image, "
                    f"{'a' if query.report else 'no'} report",
                    expected="an image alone (mode image), or a report (any other mode)",
                )
            return SearchMode.IMAGE
        if query.mode is None:
            if not self.reads_text:
                return SearchMode.PROTOTYPE
            return SearchMode.FUSED if self.draws else SearchMode.TEXT
        return query.mode

    def _understand(
        self, query: Query, mode: SearchMode, watch: Stopwatch
    ) -> tuple[str, str, Sequence[Prototype], FusedQuery]:
        """The report as it was read, what no model read of it, its prototypes, and the vectors."""
        with watch.stage("prompt"):
            report = read_report(query.report).text
        dropped: list[str] = []
        words: Embeddings | None = None
        pictures: Embeddings | None = None
        prototypes: Sequence[Prototype] = ()
        if mode in (SearchMode.TEXT, SearchMode.FUSED):
            reader = self._reader(mode)
            with watch.stage("encode"), self._encoder_lock:
                words = reader.encode_text([report])
                dropped.append(reader.dropped_text(report))
        if mode in (SearchMode.PROTOTYPE, SearchMode.FUSED):
            request = GenerationRequest(report, n=query.prototypes, seed=query.seed)
            prototypes = self._prototypes(request, watch)
            dropped.append(prototypes[0].provenance.dropped_text)
            with watch.stage("encode"):
                pictures = self.cache.embeddings(prototypes, self._encoder.spec, self._encode)
        # both are ends of the same text: what neither read is the shorter one
        unread = min(dropped, key=len)
        return report, unread, prototypes, fuse(self._fusion, text=words, prototypes=pictures)

    def _reader(self, mode: SearchMode) -> SupportsText:
        if isinstance(self._encoder, SupportsText):
            return self._encoder
        raise UnsupportedError(
            f"mode {mode} needs an encoder that reads text",
            value=str(self._encoder.spec),
            expected="an encoder with a text tower, such as an open_clip model",
            remedy="use mode prototype: drawn prototypes make this archive searchable by text",
        )

    def _encode(self, images: Sequence[RgbImage]) -> Embeddings:
        with self._encoder_lock:
            return self._encoder.encode(images)

    def _plan_alone(self, request: GenerationRequest) -> tuple[Provenance, ...]:
        if self._generator is None:
            raise UnsupportedError(
                "there is no generator to draw prototypes",
                expected="a generator for modes fused and prototype",
                remedy="use mode text, or set a generator",
            )
        with self._generator_lock:
            return tuple(self._generator.plan(request))

    def _prototypes(self, request: GenerationRequest, watch: Stopwatch) -> list[Prototype]:
        with watch.stage("prompt"):
            plans = self._plan(request)
        with watch.stage("generate"):
            cached = [here for plan in plans if (here := self.cache.get(plan)) is not None]
            if len(cached) == len(plans):
                return cached
            with self._generator_lock:
                # asked again: another caller may have drawn them while this one waited
                return self.cache.get_or_draw(plans, lambda missing: self._draw(request, missing))

    def _draw(self, request: GenerationRequest, missing: Sequence[Provenance]) -> list[Sample]:
        """Draw the seeds that are missing, neighbouring seeds together."""
        samples: list[Sample] = []
        seeds = [plan.seed for plan in missing]
        starts = [i for i, seed in enumerate(seeds) if i == 0 or seeds[i - 1] + 1 != seed]
        for start, end in zip(starts, [*starts[1:], len(seeds)], strict=True):
            run = replace(request, seed=seeds[start], n=end - start)
            if self._generator is not None:
                samples += self._generator.generate(run)
        return samples
