"""The main job: a report, an image or both in, the nearest cases out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from coin_retrieval.archive import Archive
from coin_retrieval.config import FusionSettings
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.prototypes.prototype import Drawing
from coin_retrieval.search.calibration_use import applicable, close_match_of
from coin_retrieval.search.case_search import CaseSearch
from coin_retrieval.search.fusion import Feedback, FusedQuery, fuse, mean_direction
from coin_retrieval.search.query import Query, SearchResult
from coin_retrieval.search.query_embedder import QueryEmbedder, Understood
from coin_retrieval.search.support import support_of
from coin_retrieval.search.validation import MAX_CASES, check_query, is_picture_alone
from coin_retrieval.search.whitening import whitening_of_store
from coin_retrieval.timing import Stopwatch
from coin_retrieval.types import Embeddings, SearchMode

__all__ = ["MAX_CASES", "Retriever"]

DEFAULT_PROTOTYPES = 4
_NOTHING = Understood("", "", (), None, None)


class Retriever:
    """Searches one archive. Safe for several threads: neither store nor catalog waits for a model.

    Args:
        generator: ``None`` searches by text and image only.
        fusion: ``None`` takes what the archive was calibrated to, else the defaults.

    Raises:
        EncoderMismatchError: the archive was built with another encoder.
    """

    def __init__(
        self,
        archive: Archive,
        encoder: Encoder,
        generator: Prototyper | None,
        cache: PrototypeCache,
        fusion: FusionSettings | None = None,
    ) -> None:
        archive.require_encoder(encoder.spec)
        self.archive = archive
        self.cache = cache
        self.queries = QueryEmbedder(encoder, generator, cache)
        self.calibration, self.notices = (
            applicable(archive.manifest, self.generator_identity) if fusion is None else (None, ())
        )
        chosen = self.calibration.fusion if self.calibration else FusionSettings()
        self.fusion = fusion or chosen
        self._space = whitening_of_store(archive.store, strength=self.fusion.whitening)
        self._cases = CaseSearch(
            archive.store,
            archive.catalog,
            method=self.fusion.method,
            thumbnail=archive.thumbnail_path,
        )

    @property
    def modes(self) -> tuple[SearchMode, ...]:
        """The modes that a report can be searched with here; the first is the default."""
        possible = {
            SearchMode.FUSED: self.reads_text and self.draws,
            SearchMode.PROTOTYPE: self.draws,
            SearchMode.TEXT: self.reads_text,
        }
        modes = [mode for mode, can in possible.items() if can]
        best = self.calibration.mode if self.calibration else None
        return tuple(sorted(modes, key=lambda mode: mode is not best))

    @property
    def reads_text(self) -> bool:
        """Whether the archive's encoder embeds texts."""
        return self.queries.reads_text

    @property
    def draws(self) -> bool:
        """Whether there is a generator."""
        return self.queries.drawer is not None

    @property
    def generator_name(self) -> str | None:
        """The generator's name for people; ``None`` if there is none."""
        return self.queries.drawer.name if self.queries.drawer else None

    @property
    def generator_identity(self) -> str | None:
        """Digest of all that shapes the generator's pictures; ``None`` if there is none."""
        return self.queries.drawer.identity if self.queries.drawer else None

    @property
    def default_prototypes(self) -> int:
        """How many pictures a search draws where the query does not say."""
        return self.calibration.prototypes if self.calibration else DEFAULT_PROTOTYPES

    def mode_of(self, query: Query) -> SearchMode:
        """The mode that :meth:`search` will take for this query."""
        if query.mode is not None:
            return query.mode
        if is_picture_alone(query):
            return SearchMode.IMAGE
        return next(iter(self.modes), SearchMode.PROTOTYPE)

    def search(self, query: Query) -> SearchResult:
        """The nearest cases of a report, an image, or both.

        Raises:
            ReportError, FilterError, InputError: the query cannot be used.
            NotFoundError: a marked case is not in the archive.
            UnsupportedError: the mode needs a power that the encoder or the set-up lacks.
            GenerationError: a prototype came out blank or non-finite.
            ArchiveCorruptError: store and catalog disagree.
        """
        watch = Stopwatch()
        check_query(query)
        mode = self.mode_of(query)
        # filters and marks that cannot be used are told before anything is drawn
        allowed = self._cases.select(query.where, watch)
        with watch.stage("catalog"):
            feedback = Feedback(self._marked(query.liked), self._marked(query.disliked))
        understood = _NOTHING
        if mode is not SearchMode.IMAGE:
            understood = self._understand(query.report, mode, query, watch)
        fused = self._fuse(query, understood, feedback, watch)
        found = self._cases.find(
            fused,
            query.k,
            watch,
            allowed=allowed,
            diversity=query.diversity,
            near_duplicates=query.near_duplicates,
        )
        close_match = close_match_of(query, mode, self.archive.manifest, self.calibration)
        return SearchResult(
            report=understood.report,
            mode=mode,
            dropped_text=understood.dropped_text,
            prototypes=understood.prototypes,
            cases=found.cases,
            timings_ms=watch.read_ms(),
            support=support_of(found.nearest, close_match),
            notices=self.notices,
        )

    def draw(self, report: str, *, n: int = DEFAULT_PROTOTYPES, seed: int = 0) -> Drawing:
        """Prototypes of a report, without a search.

        Raises:
            UnsupportedError: there is no generator; else as :meth:`PrototypeDrawer.draw` does.
        """
        return self.queries.need_drawer().draw(report, n=n, seed=seed)

    def _understand(
        self, report: str, mode: SearchMode, query: Query, watch: Stopwatch
    ) -> Understood:
        n = self.default_prototypes if query.prototypes is None else query.prototypes
        return self.queries.understand(report, mode, watch, prototypes=n, seed=query.seed)

    def _fuse(
        self, query: Query, understood: Understood, feedback: Feedback, watch: Stopwatch
    ) -> FusedQuery:
        """The vectors to search with; cases that the reader liked may stand alone as a picture."""
        image: Embeddings | None = None
        if query.image is not None:
            with watch.stage("encode"):
                image = self.queries.images([query.image])
        elif feedback.liked is not None and not query.report:
            image = mean_direction(feedback.liked)
        if query.unlike:
            # a text is enough where the encoder reads it: nothing need be drawn to be avoided
            mode = SearchMode.TEXT if self.reads_text else SearchMode.PROTOTYPE
            unlike = self._understand(query.unlike, mode, query, watch)
            avoided = fuse(self.fusion, text=unlike.text, prototypes=unlike.pictures)
            feedback = replace(feedback, unlike=avoided.direction)
        return fuse(
            self.fusion,
            text=understood.text,
            prototypes=understood.pictures,
            image=image,
            feedback=feedback,
            # a picture is at home in the space as it is, and finds itself with similarity 1
            space=None if is_picture_alone(query) else self._space,
        )

    def _marked(self, case_ids: Sequence[str]) -> Embeddings | None:
        """A row for each marked case, the mean of its images' vectors: float32 [cases dim].

        Raises:
            NotFoundError: no such case.
        """
        if not case_ids:
            return None
        catalog, store = self.archive.catalog, self.archive.store
        of_cases = [[image.image_id for image in catalog.case_images(c)] for c in case_ids]
        return np.concatenate(
            [mean_direction(store.vectors(np.array(ids, np.int64))) for ids in of_cases]
        )
