"""The main job: a query becomes a plan, and the plan finds the nearest cases."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np

from coin_retrieval.archive import Archive
from coin_retrieval.config import FusionSettings
from coin_retrieval.encoding.base import Encoder
from coin_retrieval.encoding.sentences import SentenceEncoder
from coin_retrieval.errors import (
    CoinError,
    InputError,
)
from coin_retrieval.limits import DEFAULT_PROTOTYPES
from coin_retrieval.progress import Progress, silent
from coin_retrieval.prototypes.base import Prototyper
from coin_retrieval.prototypes.cache import PrototypeCache
from coin_retrieval.prototypes.drawer import PrototypeDrawer
from coin_retrieval.prototypes.made import MadePicture
from coin_retrieval.prototypes.prototype import Drawing
from coin_retrieval.ranking.case_search import CaseSearch, Found
from coin_retrieval.ranking.parts import Ranks
from coin_retrieval.search.asking import Asked, Asker
from coin_retrieval.search.explaining import explained
from coin_retrieval.search.judging.closeness import (
    NOT_MEASURED,
    Because,
    Closeness,
    Reason,
    ReportJudge,
    Verdict,
    report_threshold,
)
from coin_retrieval.search.judging.rivals import Rival, rivals_of
from coin_retrieval.search.judging.scale import scale_notices
from coin_retrieval.search.judging.support import Support, judged_cases, one_label, support_of
from coin_retrieval.search.making import PictureMaker
from coin_retrieval.search.plan import SearchPlan
from coin_retrieval.search.planning import Planner, is_plain
from coin_retrieval.search.query import Query
from coin_retrieval.search.query_embedder import EmbeddedWords, QueryEmbedder
from coin_retrieval.search.result import Scope, SearchResult
from coin_retrieval.timing import Stopwatch
from coin_retrieval.types import CaseMatch, RgbImage, RowMask


class Retriever:
    """Searches one archive. Safe for several threads: neither store nor catalog waits for a model.

    Args:
        prototyper: ``None`` searches by text and picture only.
        fusion: ``None`` takes what the archive was calibrated to, else the defaults.
        maker: makes pictures to search with; ``None`` makes none.

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
        maker: PictureMaker | None = None,
    ) -> None:
        archive.require_encoder(encoder.spec)
        self._made_of = (encoder, prototyper, cache, fusion, maker)
        self.maker = maker or PictureMaker()
        self.archive = archive
        self.cache = cache
        self.drawer = PrototypeDrawer(prototyper, cache) if prototyper is not None else None
        self.planner = Planner(archive, encoder, self.drawer, fusion)
        self.reports = ReportJudge(
            archive.manifest.closeness, report_threshold(archive.manifest), SentenceEncoder()
        )
        self.embedder = QueryEmbedder(encoder, self.drawer, cache)
        self._asker = Asker(archive, self.planner, self.embedder)
        self._cases = CaseSearch(archive.store, archive.catalog, thumbnail=archive.thumbnail_path)
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

    def plan(
        self, query: Query, image: RgbImage | None = None, *, made: MadePicture | None = None
    ) -> SearchPlan:
        """Every decision of a search, made before anything is drawn or any network is loaded.

        Args:
            image: uint8 [h w 3], to search with alone or beside the report.
            made: a synthetic picture in its place.

        Raises:
            ReportError, InputError: the query cannot be used.
            UnsupportedError: the mode needs a power that the encoder or the set-up lacks.
        """
        return self.planner.plan(query, image, made=made)

    def search(
        self, query: Query, image: RgbImage | None = None, *, on: Progress = silent
    ) -> SearchResult:
        """Plan, then run. Raises as :meth:`plan` and :meth:`run` do."""
        watch = Stopwatch()
        with watch.stage("prompt"):
            plan = self.plan(query, image)
        return self._run(plan, watch, on)

    def search_made(
        self, query: Query, make: Callable[[Progress], MadePicture], *, on: Progress = silent
    ) -> SearchResult:
        """Make the picture, plan, then run. Raises as ``make``, :meth:`plan` and :meth:`run` do."""
        watch = Stopwatch()
        with watch.stage("generate"):
            made = make(_guarded(on))
        with watch.stage("prompt"):
            plan = self.plan(query, made=made)
        return self._run(plan, watch, on)

    def check(self, query: Query, image: RgbImage | None) -> None:
        """Refuse what :meth:`plan` and :meth:`run` would, before a picture is made for it.

        Args:
            image: any picture in the place of the one that is to be made.

        Raises:
            ReportError, InputError, UnsupportedError: the query cannot be used.
            FilterError, NotFoundError: a field or a marked case that the archive does not have.
        """
        plan, catalog = self.plan(query, image), self.archive.catalog
        catalog.select(plan.where)
        for case_id in (*query.liked, *query.disliked):
            catalog.case_images(case_id)

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

    def nearest(self, plan: SearchPlan, on: Progress = silent) -> tuple[CaseMatch, ...]:
        """The cases that :meth:`run` finds, without what it says about them.

        Raises: as :meth:`run` does.
        """
        return self._find(plan, Stopwatch(), on)[1].cases

    def embed(self, plan: SearchPlan, on: Progress = silent) -> EmbeddedWords:
        """What the plan makes of its report, drawn, judged and embedded: no search yet.

        Raises:
            GenerationError: a prototype came out blank or non-finite.
        """
        return self._asker.embed(plan.words, Stopwatch(), on)

    def must_draw(self, plan: SearchPlan) -> bool:
        """Whether the cache lacks a picture of the plan: only then the generator is waited for."""
        return bool(plan.variations) or not all(map(self.cache.has, plan.drawings))

    def draw(
        self, report: str, *, n: int = DEFAULT_PROTOTYPES, seed: int = 0, on: Progress = silent
    ) -> Drawing:
        """Prototypes of a report, without a search.

        Raises:
            UnsupportedError: there is no generator; else as :meth:`PrototypeDrawer.draw` does.
        """
        return self.planner.need_drawer().draw(report, n=n, seed=seed, on=on)

    def _run(self, plan: SearchPlan, watch: Stopwatch, on: Progress) -> SearchResult:
        on = _guarded(on)
        # also a listener that fails is told before anything is drawn
        on("searching", 0, 1)
        asked, found, allowed = self._find(plan, watch, on)
        query, where = plan.query, plan.where
        with watch.stage("search"):
            explanation = asked.explanation
            within = allowed if where else None
            alone = self._cases.ranks(explanation.rows, within) if query.explain else ()
            cases = self._explained(found.cases, asked, found, alone)
        with watch.stage("catalog"):
            support = support_of(found, labels=lambda site: self._one_label(site, _frozen(where)))
        rivals: tuple[Rival, ...] = ()
        if query.rivals and support is not None:
            rivals = self._rivals(asked, found, support, where, watch)
        closeness = self._closeness(asked.plan, found, watch)
        on("searching", 1, 1)
        manifest = self.archive.manifest
        return SearchResult(
            plan=plan,
            mode=asked.plan.mode,
            prototypes=asked.words.prototypes,
            verdicts=asked.words.verdicts,
            variations=asked.variations,
            cases=cases,
            own=found.own,
            support=support,
            closeness=closeness,
            rivals=rivals,
            exact=found.exact,
            scope=Scope(
                fitting=manifest.counts.images
                if allowed is None
                else int(np.count_nonzero(allowed)),
                images=manifest.counts.images,
                recall=None if found.exact else manifest.measured_recall,
            ),
            notices=(
                *plan.notices,
                *asked.refused,
                *found.bounds,
                *scale_notices(plan.shown_um, [*cases, *found.own]),
            ),
            timings_ms=watch.read_ms(),
        )

    def _find(
        self, plan: SearchPlan, watch: Stopwatch, on: Progress
    ) -> tuple[Asked, Found, RowMask | None]:
        """What was asked, what was found, and among which pictures; ``None``: all."""
        self._require_own(plan)
        query = plan.query
        allowed = self._cases.select(plan.where, watch)
        asked = self._asker.ask(plan, watch, on)
        holders: tuple[str, ...] = ()
        if plan.image is not None and asked.image is not None:
            with watch.stage("search"):
                holders = self._cases.holders(plan.image, asked.image)
        found = self._cases.find(
            asked.fused,
            query.k,
            watch,
            allowed=allowed,
            where=plan.where,
            diversity=query.diversity,
            near_duplicates=query.near_duplicates,
            width=query.width,
            # the cases that the query itself comes from: that they are near proves nothing
            own=tuple(dict.fromkeys((*query.liked, *holders))),
        )
        return asked, found, allowed

    def _explained(
        self, cases: Sequence[CaseMatch], asked: Asked, found: Found, alone: Sequence[Ranks] = ()
    ) -> tuple[CaseMatch, ...]:
        return explained(
            cases,
            asked.explanation,
            self._cases,
            self.archive.manifest.similarity_scale,
            rankings=found.rankings,
            alone=alone,
        )

    def _rivals(
        self,
        asked: Asked,
        found: Found,
        support: Support,
        where: Mapping[str, Sequence[str]],
        watch: Stopwatch,
    ) -> tuple[Rival, ...]:
        own = [case.case.case_id for case in found.own]

        def nearest(k: int, allowed: RowMask) -> Sequence[CaseMatch]:
            width = asked.plan.query.width
            found = self._cases.find(asked.fused, k, watch, allowed=allowed, width=width, own=own)
            return found.cases

        rivals = rivals_of(support, self.archive.catalog, where, nearest)
        return tuple(
            replace(rival, cases=self._explained(rival.cases, asked, found)) for rival in rivals
        )

    def _closeness(self, plan: SearchPlan, found: Found, watch: Stopwatch) -> Closeness:
        """Reports are judged by what they say, pictures by how near the nearest cases are."""
        if not is_plain(plan.query, plan.image, made=plan.made):
            return NOT_MEASURED
        if plan.words is None:
            return judged_cases(found.nearest, plan.closeness) if found.nearest else NOT_MEASURED
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
