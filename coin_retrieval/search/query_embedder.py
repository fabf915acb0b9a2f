"""From words and pictures to embeddings: everything of a query that needs a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock

from coin_retrieval.encoding.base import Encoder, SupportsText
from coin_retrieval.errors import UnsupportedError
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.prototypes.drawer import PrototypeDrawer
from coin_retrieval.prototypes.prototype import Prototype
from coin_retrieval.reports.plain import read_report
from coin_retrieval.timing import Stopwatch
from coin_retrieval.types import Embeddings, RgbImage, SearchMode


@dataclass(frozen=True, slots=True)
class Understood:
    """A report in the archive's space, nothing of it fused or corrected yet.

    ``text`` float32 [1 dim] and ``pictures`` float32 [n dim], the prototypes', are ``None`` where
    the mode needs none. ``dropped_text`` is the end of the report that no model could read.
    """

    report: str
    dropped_text: str
    prototypes: tuple[Prototype, ...]
    text: Embeddings | None
    pictures: Embeddings | None


class QueryEmbedder:
    """Embeds reports and pictures with one encoder and one generator. Safe for several threads.

    The two are not: each has a lock, held only while it computes.

    Args:
        generator: ``None`` embeds texts and pictures only.
    """

    def __init__(
        self, encoder: Encoder, generator: Prototyper | None, cache: PrototypeCache
    ) -> None:
        self._encoder = encoder
        self._lock = Lock()
        self._cache = cache
        self._drawer = PrototypeDrawer(generator, cache) if generator is not None else None

    @property
    def reads_text(self) -> bool:
        """Whether the encoder embeds texts."""
        return isinstance(self._encoder, SupportsText)

    @property
    def drawer(self) -> PrototypeDrawer | None:
        """What draws; ``None`` without a generator."""
        return self._drawer

    def understand(
        self, report: str, mode: SearchMode, watch: Stopwatch, *, prototypes: int, seed: int
    ) -> Understood:
        """Read a report, and embed what ``mode`` needs of it.

        Raises:
            ReportError, InputError: the report or the number of prototypes cannot be used.
            UnsupportedError: the mode needs a power that the encoder or the set-up lacks.
            GenerationError: a prototype came out blank or non-finite.
        """
        with watch.stage("prompt"):
            read = read_report(report).text
        unread: list[str] = []
        words: Embeddings | None = None
        pictures: Embeddings | None = None
        drawn: Sequence[Prototype] = ()
        if mode in (SearchMode.TEXT, SearchMode.FUSED):
            reader = self._need_reader(mode)
            with watch.stage("encode"), self._lock:
                words = reader.encode_text([read])
                unread.append(reader.dropped_text(read))
        if mode in (SearchMode.PROTOTYPE, SearchMode.FUSED):
            drawer = self.need_drawer()
            with watch.stage("prompt"):
                plans = drawer.plan(read, n=prototypes, seed=seed)
            drawn = drawer.draw_planned(plans, watch)
            unread.append(drawn[0].provenance.dropped_text)
            with watch.stage("encode"):
                pictures = self._cache.embeddings(drawn, self._encoder.spec, self.images)
        # each is an end of the same text: what nobody read is the shorter one
        return Understood(read, min(unread, key=len), tuple(drawn), words, pictures)

    def images(self, images: Sequence[RgbImage]) -> Embeddings:
        """Embeddings of pictures, float32 [n dim]."""
        with self._lock:
            return self._encoder.encode(images)

    def need_drawer(self) -> PrototypeDrawer:
        """What draws.

        Raises:
            UnsupportedError: there is no generator.
        """
        if self._drawer is not None:
            return self._drawer
        raise UnsupportedError(
            "there is no generator to draw prototypes",
            expected="a generator, for modes fused and prototype",
            remedy="use mode text if the archive's encoder reads text, or set a generator",
        )

    def _need_reader(self, mode: SearchMode) -> SupportsText:
        if isinstance(self._encoder, SupportsText):
            return self._encoder
        raise UnsupportedError(
            f"mode {mode} needs an encoder that reads text",
            value=str(self._encoder.spec),
            expected="an encoder with a text tower, such as an open_clip model",
            remedy="use mode prototype: drawn prototypes make this archive searchable by text",
        )
