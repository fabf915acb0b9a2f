"""The main job: a query becomes a plan, and the plan finds the nearest cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from coin_retrieval.archive import Archive
from coin_retrieval.config import FusionSettings
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.encoding.sentences import SentenceEncoder
from coin_retrieval.errors import (
    CacheError,
    CoinError,
    GenerationError,
    InputError,
    UndrawableError,
)
from coin_retrieval.limits import DEFAULT_PROTOTYPES
from coin_retrieval.progress import Progress, silent
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.prototypes.drawer import PrototypeDrawer
from coin_retrieval.prototypes.prototype import Drawing
from coin_retrieval.ranking.case_search import CaseSearch, Found
from coin_retrieval.ranking.fusion import Feedback, FusedQuery, fuse, mean_direction
from coin_retrieval.ranking.parts import Explanation, ingredients_of
from coin_retrieval.ranking.standing import standing_of
from coin_retrieval.ranking.whitening import whitening_of_store
from coin_retrieval.search.closeness import (
    NOT_MEASURED,
    Because,
    Closeness,
    Reason,
    ReportJudge,
    Verdict,
    judged,
    report_threshold,
)
from coin_retrieval.search.gating import DrawingGate
from coin_retrieval.search.plan import SearchPlan, WordsPlan
from coin_retrieval.search.planning import Planner, is_plain
from coin_retrieval.search.query import Query
from coin_retrieval.search.query_embedder import EmbeddedWords, QueryEmbedder
from coin_retrieval.search.result import Scope, SearchResult
from coin_retrieval.search.rivals import Rival, rivals_of
from coin_retrieval.search.support import Support, one_label, support_of
from coin_retrieval.timing import Stopwatch
from coin_retrieval.types import CaseMatch, Embeddings, RgbImage, RowMask, SearchMode

_NO_WORDS = EmbeddedWords(None, None, ())
NONE_PASSED = "no drawing shows what the report says: searched by the text alone"


@dataclass(frozen=True, slots=True)
class _Asked:
    """The query as the store is asked it, and what it was made of."""

    fused: FusedQuery
    explanation: Explanation
    image: Embeddings | None


class Retriever:
    """Searches one archive. Safe for several threads: neither store nor catalog waits for a model.

    Args:
        prototyper: ``None`` searches by text and picture only.
        fusion: ``None`` takes what the archive was calibrated to, else the defaults.

    Raises:
        EncoderMismatchError: the archive was built with another encoder.
    """

    def __init__(
        self,
        archive: Archive,
        encoder: Encoder,
        prototyper: Prototyper | None,
        cache: PrototypeCache,
        fusion: FusionSettings | None = None,
    ) -> None:
        archive.require_encoder(encoder.spec)
        self._made_of = (encoder, prototyper, cache, fusion)
        self.archive = archive
        self.cache = cache
        self.drawer = PrototypeDrawer(prototyper, cache) if prototyper is not None else None
        self.planner = Planner(archive, encoder, self.drawer, fusion)
        self.reports = ReportJudge(
            archive.manifest.closeness, report_threshold(archive.manifest), SentenceEncoder()
        )
        self.embedder = QueryEmbedder(encoder, self.drawer, cache)
        self._gate = DrawingGate(archive, self.embedder)
        self._cases = CaseSearch(archive.store, archive.catalog, thumbnail=archive.thumbnail_path)
        self._space = lru_cache(maxsize=4)(
            lambda strength: whitening_of_store(archive.store, strength=strength)
        )
        self._one_label = lru_cache(maxsize=256)(
            lambda site, where: one_label(archive.catalog, site, dict(where))
        )

    def on(self, archive: Archive) -> Retriever:
        """A retriever on another archive, or version, with the same models.

        Raises:
            EncoderMismatchError: the archive was built with another encoder.
        """
        return Retriever(archive, *self._made_of)

    @property
    def generator_name(self) -> str | None:
        """The generator's name for people; ``None`` if there is none."""
        return self.drawer.name if self.drawer else None

    def plan(self, query: Query, image: RgbImage | None = None) -> SearchPlan:
        """Every decision of a search, made before anything is drawn or any network is loaded.

        Args:
            image: uint8 [h w 3], to search with alone or beside the report.

        Raises:
            ReportError, InputError: the query cannot be used.
            UnsupportedError: the mode needs a power that the encoder or the set-up lacks.
        """
        return self.planner.plan(query, image)

    def search(
        self, query: Query, image: RgbImage | None = None, *, on: Progress = silent
    ) -> SearchResult:
        """Plan, then run. Raises as :meth:`plan` and :meth:`run` do."""
        watch = Stopwatch()
        with watch.stage("prompt"):
            plan = self.plan(query, image)
        return self._run(plan, watch, on)

    def run(self, plan: SearchPlan, on: Progress = silent) -> SearchResult:
        """The nearest cases, as the plan says.

        A report that cannot be drawn in mode fused is searched by its text; the result says so. So
        is one in mode prototype that the generator never learned to draw, if the encoder reads.

        Args:
            on: told of drawing and searching. If it raises, the search ends there.

        Raises:
            InputError: the plan is another archive's, encoder's or generator's, or ``on`` failed.
            FilterError, NotFoundError: a field or a marked case that the archive does not have.
            GenerationError: a prototype came out blank or non-finite.
            ArchiveCorruptError: store and catalog disagree.
        """
        return self._run(plan, Stopwatch(), on)

    def embed(self, plan: SearchPlan, on: Progress = silent) -> EmbeddedWords:
        """What the plan makes of its report, drawn, judged and embedded: no search yet.

        Raises:
            GenerationError: a prototype came out blank or non-finite.
        """
        return self._judged(plan.words, Stopwatch(), on) if plan.words else _NO_WORDS

    def must_draw(self, plan: SearchPlan) -> bool:
        """Whether the cache lacks a picture of the plan: only then the generator is waited for."""
        return any(self.cache.get(picture) is None for picture in plan.drawings)

    def draw(
        self, report: str, *, n: int = DEFAULT_PROTOTYPES, seed: int = 0, on: Progress = silent
    ) -> Drawing:
        """Prototypes of a report, without a search.

        Raises:
            UnsupportedError: there is no generator; else as :meth:`PrototypeDrawer.draw` does.
        """
        return self.planner.need_drawer().draw(report, n=n, seed=seed, on=on)

    def _run(self, plan: SearchPlan, watch: Stopwatch, on: Progress) -> SearchResult:
        self._require_own(plan)
        on = _guarded(on)
        # also a listener that fails is told before anything is drawn
        on("searching", 0, 1)
        query = plan.query
        allowed = self._cases.select(plan.where, watch)
        with watch.stage("catalog"):
            feedback = Feedback(self._marked(query.liked), self._marked(query.disliked))
        plan_run, words, refused = self._words(plan, watch, on)
        asked = self._ask(plan_run, words, feedback, watch, on)
        found = self._cases.find(
            asked.fused,
            query.k,
            watch,
            allowed=allowed,
            diversity=query.diversity,
            near_duplicates=query.near_duplicates,
            own=self._own(plan, asked, watch),
        )
        with watch.stage("search"):
            within = allowed if plan.where else None
            cases = self._explained(found, found.cases, asked, within, query.explain)
        with watch.stage("catalog"):
            support = support_of(
                found,
                plan_run.closeness,
                labels=lambda site: self._one_label(site, _frozen(plan.where)),
            )
        rivals: tuple[Rival, ...] = ()
        if query.rivals and support is not None:
            rivals = self._rivals(asked, found, support, plan.where, watch)
        closeness = self._closeness(plan_run, support, watch)
        if support is not None:
            support = replace(
                support,
                close=closeness.close,
                score=support.score if closeness.score is None else closeness.score,
                threshold=closeness.threshold,
                false_alarm_rate=closeness.false_alarm_rate,
            )
        on("searching", 1, 1)
        return SearchResult(
            plan=plan,
            mode=plan_run.mode,
            prototypes=words.prototypes,
            verdicts=words.verdicts,
            cases=cases,
            own=found.own,
            support=support,
            closeness=closeness,
            rivals=rivals,
            exact=found.exact,
            scope=Scope(
                fitting=self.archive.manifest.counts.images
                if allowed is None
                else int(np.count_nonzero(allowed)),
                images=self.archive.manifest.counts.images,
                recall=None if found.exact else self.archive.manifest.measured_recall,
            ),
            notices=(*plan.notices, *refused),
            timings_ms=watch.read_ms(),
        )

    def _rivals(
        self,
        asked: _Asked,
        found: Found,
        support: Support,
        where: Mapping[str, Sequence[str]],
        watch: Stopwatch,
    ) -> tuple[Rival, ...]:
        own = [case.case.case_id for case in found.own]

        def nearest(k: int, allowed: RowMask) -> Sequence[CaseMatch]:
            return self._cases.find(asked.fused, k, watch, allowed=allowed, own=own).cases

        rivals = rivals_of(support, self.archive.catalog, where, nearest)
        return tuple(
            replace(rival, cases=self._explained(found, rival.cases, asked, None, ranked=False))
            for rival in rivals
        )

    def _closeness(self, plan: SearchPlan, support: Support | None, watch: Stopwatch) -> Closeness:
        """Reports are judged by what they say, pictures by how near the nearest cases are."""
        if not is_plain(plan.query, plan.image):
            return NOT_MEASURED
        if plan.words is None:
            return judged(support.score, plan.closeness) if support else NOT_MEASURED
        with watch.stage("encode"):
            verdict = self.reports.judge(plan.words, plan.site)
        if plan.language is None or plan.language.is_understood:
            return verdict
        unknown = Reason(Because.WORDS_UNKNOWN, plan.language.language)
        return replace(verdict, verdict=Verdict.NO, reasons=(unknown, *verdict.reasons))

    def _require_own(self, plan: SearchPlan) -> None:
        drawn_by = plan.generator
        for name, planned, own in (
            ("archive", plan.archive, self.planner.archive),
            ("encoder", plan.encoder, self.archive.manifest.encoder),
            ("generator", drawn_by, self.drawer.identity if drawn_by and self.drawer else None),
        ):
            if planned != own:
                raise InputError(
                    f"the plan is of another {name}",
                    value=str(planned),
                    expected=str(own),
                    remedy="plan the query again with this retriever",
                )

    def _words(
        self, plan: SearchPlan, watch: Stopwatch, on: Progress
    ) -> tuple[SearchPlan, EmbeddedWords, tuple[str, ...]]:
        """The report's vectors; where it cannot be drawn, the plan without drawings, and why."""
        if plan.words is None:
            return plan, _NO_WORDS, ()
        try:
            words = self._judged(plan.words, watch, on)
        except (GenerationError, CacheError) as error:
            unknown = isinstance(error, UndrawableError) and self.planner.reads_text
            if plan.mode is not SearchMode.FUSED and not unknown:
                raise
            by_text = self.planner.without_drawings(plan)
            notice = f"nothing could be drawn ({error.problem}): searched by the text alone"
            return (*self._words(by_text, watch, on)[:2], (notice,))
        if words.pictures is not None or plan.words.drawing is None:
            return plan, words, ()
        # a drawing that shows something else finds something else: the words are all there is
        return self.planner.without_drawings(plan), words, (NONE_PASSED,)

    def _judged(self, plan: WordsPlan, watch: Stopwatch, on: Progress) -> EmbeddedWords:
        """The words with the drawings that passed the gate; the text in their place if none did."""
        words = self._gate.passed(plan, self.embedder.words(plan, watch, on), watch, on)
        if words.pictures is not None or words.text is not None:
            return words
        return replace(words, text=self.embedder.text(plan.searched, watch))

    def _ask(
        self,
        plan: SearchPlan,
        words: EmbeddedWords,
        feedback: Feedback,
        watch: Stopwatch,
        on: Progress,
    ) -> _Asked:
        """The vectors to search with; cases that the reader liked may stand alone as a picture."""
        image: Embeddings | None = None
        if plan.image is not None:
            with watch.stage("encode"):
                image = self.embedder.images([plan.image])
        elif feedback.liked is not None and plan.words is None:
            image = mean_direction(feedback.liked)
        if plan.unlike is not None:
            unlike = self.embedder.words(plan.unlike, watch, on)
            avoided = fuse(plan.fusion, text=unlike.text, prototypes=unlike.pictures)
            feedback = replace(feedback, unlike=avoided.direction)
        # a picture is at home in the space as it is, and finds itself with similarity 1
        space = None if plan.words is None else self._space(plan.fusion.whitening)
        fused = fuse(
            plan.fusion,
            text=words.text,
            prototypes=words.pictures,
            image=image,
            feedback=feedback,
            space=space,
        )
        made_of = ingredients_of(
            plan.fusion,
            text=words.text,
            prototypes=words.pictures,
            seeds=[prototype.provenance.seed for prototype in words.counted],
            image=image if plan.image is not None else None,
            feedback=feedback,
            liked=plan.query.liked,
            disliked=plan.query.disliked,
        )
        return _Asked(fused, Explanation(fused, made_of, space=space), image)

    def _own(self, plan: SearchPlan, asked: _Asked, watch: Stopwatch) -> tuple[str, ...]:
        """The cases that the query itself comes from: that they are near proves nothing."""
        holders: tuple[str, ...] = ()
        if plan.image is not None and asked.image is not None:
            with watch.stage("search"):
                holders = self._cases.holders(plan.image, asked.image)
        return tuple(dict.fromkeys((*plan.query.liked, *holders)))

    def _explained(
        self,
        found: Found,
        cases: tuple[CaseMatch, ...],
        asked: _Asked,
        allowed: RowMask | None,
        ranked: bool,
    ) -> tuple[CaseMatch, ...]:
        """The cases with every match's parts, and how they stand among the archive's own."""
        ids = [match.image.image_id for case in cases for match in case.matches]
        if not ids:
            return cases
        vectors = self._cases.vectors(ids)
        alone = self._cases.ranks(asked.explanation.rows, allowed) if ranked else ()
        parts = dict(
            zip(
                ids,
                asked.explanation.parts(ids, vectors, rankings=found.rankings, alone=alone),
                strict=True,
            )
        )
        by_rank = bool(found.rankings)
        return tuple(
            replace(
                case,
                matches=tuple(
                    replace(
                        match,
                        parts=(own := parts[match.image.image_id]),
                        score=sum(part.share for part in own) if by_rank else match.similarity,
                    )
                    for match in case.matches
                ),
                standing=standing_of(
                    parts[case.matches[0].image.image_id],
                    self.archive.manifest.similarity_scale,
                ),
            )
            for case in cases
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


def _frozen(where: Mapping[str, Sequence[str]]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((field, tuple(values)) for field, values in where.items())


def _guarded(on: Progress) -> Progress:
    """A listener whose failure is told as one."""

    def told(stage: str, done: int, of: int) -> None:
        try:
            on(stage, done, of)
        except CoinError:
            raise
        except Exception as error:
            raise InputError(
                "the listener of progress failed, and the search was stopped",
                value=f"{type(error).__name__}: {error}",
                expected="a callable (stage, done, of) that returns",
                remedy="mend the listener, or search without one",
            ) from error

    return told
