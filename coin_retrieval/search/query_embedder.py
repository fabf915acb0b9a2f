"""From words and pictures to embeddings: everything of a query that needs a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

from coin_retrieval.encoding.base import Encoder, SupportsText
from coin_retrieval.errors import UnsupportedError
from coin_retrieval.progress import Progress, silent
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.prototypes.drawer import PrototypeDrawer
from coin_retrieval.prototypes.gate import Verdict
from coin_retrieval.prototypes.prototype import Prototype
from coin_retrieval.search.plan import WordsPlan
from coin_retrieval.timing import Stopwatch
from coin_retrieval.types import Embeddings, Provenance, RgbImage, Sample, SearchMode


@dataclass(frozen=True, slots=True)
class EmbeddedWords:
    """A text in the archive's space, nothing of it fused or corrected yet.

    ``text`` float32 [1 dim] and ``pictures`` float32 [n dim], of the prototypes that count, are
    ``None`` where the plan needs none. ``verdicts`` are on the prototypes, empty where nothing
    judged them: all count.
    """

    text: Embeddings | None
    pictures: Embeddings | None
    prototypes: tuple[Prototype, ...]
    verdicts: tuple[Verdict, ...] = ()

    @property
    def counted(self) -> tuple[Prototype, ...]:
        """The prototypes of ``pictures``."""
        if not self.verdicts:
            return self.prototypes
        judged = zip(self.prototypes, self.verdicts, strict=True)
        return tuple(prototype for prototype, verdict in judged if verdict.counts)


class QueryEmbedder:
    """Embeds texts, their prototypes and pictures. Safe for several threads.

    The encoder is not: it has a lock, held only while it computes. Pictures are embedded in one
    thread, whoever asks: what a network needs meanwhile is kept by each thread that it ran in.

    Args:
        drawer: ``None`` embeds texts and pictures only.
    """

    def __init__(
        self, encoder: Encoder, drawer: PrototypeDrawer | None, cache: PrototypeCache
    ) -> None:
        self._encoder = encoder
        self._lock = Lock()
        self._looking = ThreadPoolExecutor(1, thread_name_prefix="coin-encoding")
        self._cache = cache
        self._drawer = drawer

    def words(self, plan: WordsPlan, watch: Stopwatch, on: Progress = silent) -> EmbeddedWords:
        """Draw and embed what the plan says.

        Raises:
            GenerationError: a prototype came out blank or non-finite.
            UnsupportedError: a plan that other models than these can run.
        """
        text: Embeddings | None = None
        pictures: Embeddings | None = None
        drawn: Sequence[Prototype] = ()
        if plan.mode in (SearchMode.TEXT, SearchMode.FUSED):
            text = self.text(plan.searched, watch)
            if text is None:
                raise UnsupportedError("the plan needs an encoder that reads text")
        if plan.drawing is not None:
            drawn, pictures = self.drawings(plan.drawing.pictures, watch, on)
        return EmbeddedWords(text, pictures, tuple(drawn))

    def drawings(
        self, pictures: Sequence[Provenance], watch: Stopwatch, on: Progress = silent
    ) -> tuple[Sequence[Prototype], Embeddings]:
        """Prototypes as planned, from the cache or drawn, and their embeddings, float32 [n dim].

        Raises:
            GenerationError: a prototype came out blank or non-finite.
            UnsupportedError: there is no generator.
        """
        if self._drawer is None:
            raise UnsupportedError("the plan needs a generator")
        drawn = self._drawer.draw_planned(pictures, watch, on=on)
        with watch.stage("encode"):
            return drawn, self._cache.embeddings(drawn, self._encoder.spec, self._drawings)

    def variations(
        self, pictures: Sequence[Provenance], watch: Stopwatch, on: Progress = silent
    ) -> tuple[tuple[Sample, ...], Embeddings]:
        """Drawings from a picture, kept nowhere, and their embeddings, float32 [n dim].

        Raises:
            GenerationError: a picture came out blank or non-finite.
            UnsupportedError: there is no generator.
        """
        if self._drawer is None:
            raise UnsupportedError("the plan needs a generator")
        with watch.stage("generate"):
            drawn = self._drawer.vary(pictures, on=on)
        with watch.stage("encode"):
            return tuple(drawn), self._drawings([sample.image for sample in drawn])

    def text(self, text: str, watch: Stopwatch) -> Embeddings | None:
        """A text's embedding, float32 [1 dim]; ``None`` where the encoder reads none."""
        if not isinstance(self._encoder, SupportsText):
            return None
        with watch.stage("encode"), self._lock:
            return self._encoder.encode_text([text])

    def images(self, images: Sequence[RgbImage]) -> Embeddings:
        """Embeddings of pictures, float32 [n dim]."""
        return self._looking.submit(self._look, self._encoder.encode, images).result()

    def _drawings(self, images: Sequence[RgbImage]) -> Embeddings:
        return self._looking.submit(self._look, self._encoder.encode_drawn, images).result()

    def _look(
        self, encode: Callable[[Sequence[RgbImage]], Embeddings], images: Sequence[RgbImage]
    ) -> Embeddings:
        with self._lock:
            return encode(images)
