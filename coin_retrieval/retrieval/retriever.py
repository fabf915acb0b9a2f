"""The main job: a report or an image in, the nearest cases out."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np

from coin_retrieval.archive import Archive
from coin_retrieval.config import FusionSettings
from coin_retrieval.encoding.base import Encoder, SupportsText
from coin_retrieval.errors import InputError, UnsupportedError
from coin_retrieval.generation.base import Generator
from coin_retrieval.reports.plain import read_report
from coin_retrieval.retrieval.case_search import CaseSearch
from coin_retrieval.retrieval.drawing import PrototypeDrawer
from coin_retrieval.retrieval.fusion import FusedQuery, fuse
from coin_retrieval.retrieval.prototypes import PrototypeCache
from coin_retrieval.retrieval.query import Drawing, Prototype, Query, SearchResult
from coin_retrieval.retrieval.timing import Stopwatch
from coin_retrieval.types import Embeddings, GenerationRequest, RgbImage, SearchMode

MAX_CASES = 1000


class Retriever:
    """Searches one archive. Safe for several threads.

    The encoder and the generator are not: each has a lock, held only while it computes, so that
    neither store nor catalog ever waits for a drawing.

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
        self._encoder_lock = Lock()
        self._drawer = PrototypeDrawer(generator, cache) if generator is not None else None
        self._fusion = fusion
        self._cases = CaseSearch(archive.store, archive.catalog, method=fusion.method)

    @property
    def modes(self) -> tuple[SearchMode, ...]:
        """The modes that a report can be searched with here, best first."""
        possible = {
            SearchMode.FUSED: self.reads_text and self.draws,
            SearchMode.PROTOTYPE: self.draws,
            SearchMode.TEXT: self.reads_text,
        }
        return tuple(mode for mode, can in possible.items() if can)

    @property
    def reads_text(self) -> bool:
        """Whether the archive's encoder embeds texts."""
        return isinstance(self._encoder, SupportsText)

    @property
    def draws(self) -> bool:
        """Whether there is a generator."""
        return self._drawer is not None

    @property
    def generator_name(self) -> str | None:
        """The generator's name for people; ``None`` if there is none."""
        return self._drawer.name if self._drawer else None

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
        # a filter that cannot be used is told before anything is drawn
        allowed = self._cases.select(query.where, watch)
        text, dropped = "", ""
        prototypes: Sequence[Prototype] = ()
        if query.image is not None:
            with watch.stage("encode"):
                picture = self._encode([query.image])
            fused = FusedQuery(picture, picture, np.ones(1))
        else:
            text, dropped, prototypes, fused = self._understand(query, mode, watch)
        return SearchResult(
            report=text,
            mode=mode,
            dropped_text=dropped,
            prototypes=tuple(prototypes),
            cases=tuple(self._cases.find(fused, query.k, watch, allowed=allowed)),
            timings_ms=watch.read_ms(),
        )

    def draw(self, report: str, *, n: int = 4, seed: int = 0) -> Drawing:
        """Prototypes of a report, without a search.

        Raises:
            UnsupportedError: there is no generator; else as :meth:`PrototypeDrawer.draw` does.
        """
        return self._need_drawer().draw(report, n=n, seed=seed)

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
        return query.mode or next(iter(self.modes), SearchMode.PROTOTYPE)

    def _understand(
        self, query: Query, mode: SearchMode, watch: Stopwatch
    ) -> tuple[str, str, Sequence[Prototype], FusedQuery]:
        """The report as it was read, what no model read of it, its prototypes, and the vectors."""
        with watch.stage("prompt"):
            report = read_report(query.report).text
        unread: list[str] = []
        words: Embeddings | None = None
        pictures: Embeddings | None = None
        prototypes: Sequence[Prototype] = ()
        if mode in (SearchMode.TEXT, SearchMode.FUSED):
            reader = self._need_reader(mode)
            with watch.stage("encode"), self._encoder_lock:
                words = reader.encode_text([report])
                unread.append(reader.dropped_text(report))
        if mode in (SearchMode.PROTOTYPE, SearchMode.FUSED):
            n = 4 if query.prototypes is None else query.prototypes
            request = GenerationRequest(report, n=n, seed=query.seed)
            prototypes = self._need_drawer().prototypes(request, watch)
            unread.append(prototypes[0].provenance.dropped_text)
            with watch.stage("encode"):
                pictures = self.cache.embeddings(prototypes, self._encoder.spec, self._encode)
        fused = fuse(self._fusion, text=words, prototypes=pictures)
        # each is an end of the same text: what nobody read is the shorter one
        return report, min(unread, key=len), prototypes, fused

    def _encode(self, images: Sequence[RgbImage]) -> Embeddings:
        with self._encoder_lock:
            return self._encoder.encode(images)

    def _need_reader(self, mode: SearchMode) -> SupportsText:
        if isinstance(self._encoder, SupportsText):
            return self._encoder
        raise UnsupportedError(
            f"mode {mode} needs an encoder that reads text",
            value=str(self._encoder.spec),
            expected="an encoder with a text tower, such as an open_clip model",
            remedy="use mode prototype: drawn prototypes make this archive searchable by text",
        )

    def _need_drawer(self) -> PrototypeDrawer:
        if self._drawer is not None:
            return self._drawer
        raise UnsupportedError(
            "there is no generator to draw prototypes",
            expected="a generator, for modes fused and prototype",
            remedy="use mode text if the archive's encoder reads text, or set a generator",
        )
