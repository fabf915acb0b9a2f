"""Where every decision of a search is made: no network is loaded, and nothing is drawn."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, lru_cache

from coin_retrieval.archive import Archive
from coin_retrieval.archive.measured.calibration import Calibration, CloseMatch
from coin_retrieval.config import FusionSettings
from coin_retrieval.encoding.base import Encoder, SupportsText
from coin_retrieval.errors import InputError, UnsupportedError
from coin_retrieval.language.understanding import understand
from coin_retrieval.limits import DEFAULT_PROTOTYPES
from coin_retrieval.prototypes.drawer import PrototypeDrawer
from coin_retrieval.prototypes.gate import NAME
from coin_retrieval.prototypes.made import MadePicture
from coin_retrieval.reports.normalise import tidy
from coin_retrieval.reports.plain import read_for_search
from coin_retrieval.reports.searched.affirmed import Affirmed
from coin_retrieval.reports.specimens import Specimen, specimens
from coin_retrieval.search.calibration_use import CalibrationUse, calibration_use
from coin_retrieval.search.judging.closeness import report_threshold
from coin_retrieval.search.judging.scale import LikeScale, common_field_um, field_um
from coin_retrieval.search.plan import ArchiveIdentity, DrawingPlan, SearchPlan, WordsPlan
from coin_retrieval.search.query import Query
from coin_retrieval.search.site import SITE, filter_of, plan_site
from coin_retrieval.types import (
    ImageId,
    PictureSource,
    Provenance,
    Report,
    RgbImage,
    SearchMode,
)

ALL_SPECIMENS = "all"
_LOOKED_AT = 500
"""Pictures, to tell what field they show."""


class Planner:
    """Decides how queries are searched on one archive, with one encoder and one generator.

    Args:
        drawer: ``None`` searches by text and picture only.
        fusion: ``None`` takes what the archive was calibrated to, else the defaults.
    """

    def __init__(
        self,
        archive: Archive,
        encoder: Encoder,
        drawer: PrototypeDrawer | None,
        fusion: FusionSettings | None = None,
    ) -> None:
        self._manifest = archive.manifest
        self.archive = ArchiveIdentity(archive.version, archive.digest)
        self._catalog = archive.catalog
        self._encoder = encoder
        self._drawer = drawer
        self._fusion = fusion
        self._common_field_um = lru_cache(maxsize=256)(self._field_um)

    @property
    def reads_text(self) -> bool:
        """Whether the archive's encoder embeds texts."""
        return isinstance(self._encoder, SupportsText)

    @cached_property
    def _gate(self) -> str:
        """The rule that drawings are judged by here."""
        labelled = {*self._catalog.values("finding"), *self._catalog.values("diagnosis")}
        return NAME if len(labelled) > 1 else "none: the archive's pictures have no labels to tell"

    @cached_property
    def _use(self) -> CalibrationUse:
        if self._fusion is not None:
            return CalibrationUse(None, "other weights and corrections were named", ())
        return calibration_use(self._manifest, self._drawer)

    @property
    def calibration(self) -> Calibration | None:
        """The archive's calibration, where it applies."""
        return self._use.calibration

    @property
    def fusion(self) -> FusionSettings:
        """Weights and corrections of every search here."""
        return self._fusion or (self.calibration.fusion if self.calibration else FusionSettings())

    @property
    def modes(self) -> tuple[SearchMode, ...]:
        """The modes that a report can be searched with here; the first is the default."""
        possible = {
            SearchMode.FUSED: self.reads_text and self._drawer is not None,
            SearchMode.PROTOTYPE: self._drawer is not None,
            SearchMode.TEXT: self.reads_text,
        }
        modes = [mode for mode, can in possible.items() if can]
        best = self.calibration.mode if self.calibration else None
        return tuple(sorted(modes, key=lambda mode: mode is not best))

    @property
    def prototypes(self) -> int:
        """How many pictures a search draws where the query does not say."""
        return self.calibration.prototypes if self.calibration else DEFAULT_PROTOTYPES

    def closeness(self, mode: SearchMode) -> CloseMatch | None:
        """The threshold that plain queries of this mode are judged by; ``None`` without one.

        A report's is one of what it says, whichever way it is searched.
        """
        if mode is SearchMode.IMAGE:
            return self._manifest.own_neighbours
        return report_threshold(self._manifest)

    def plan(
        self, query: Query, image: RgbImage | None = None, *, made: MadePicture | None = None
    ) -> SearchPlan:
        """How this query, with this picture beside it, will be searched.

        Args:
            made: a synthetic picture in the place of ``image``.

        Raises:
            ReportError, InputError, FilterError: the query cannot be used.
            UnsupportedError: the mode needs a power that the encoder or the set-up lacks.
        """
        image = image if made is None else made.image
        alone = not query.report and (image is not None or bool(query.liked))
        check_query(query, image)
        mode = query.mode or (SearchMode.IMAGE if alone else self._default_mode())
        words, site, language = None, None, None
        told: tuple[Specimen, ...] = ()
        specimen = ""
        if mode is not SearchMode.IMAGE:
            told = specimens(query.report)
            specimen, report = _of_one(told, query)
            language = understand(tidy(report), as_written=query.as_written)
            reading, searched = read_for_search(language.text, whole=query.as_written)
            words = self._words(reading.report, searched, mode, query)
            site = plan_site(reading, query, self._sites)
        where = filter_of(query, site)
        scale = self._scale(query, image, made, where)
        return SearchPlan(
            query=query,
            archive=self.archive,
            encoder=self._manifest.encoder,
            mode=mode,
            specimens=tuple(one.name for one in told),
            specimen=specimen,
            words=words,
            unlike=self._unlike(query) if query.unlike else None,
            image=image,
            made=made,
            scale=scale,
            variations=self._variations(query, image),
            language=language,
            site=site,
            where=where,
            fusion=self.fusion,
            calibrated=self.calibration is not None,
            uncalibrated_because=self._use.why_not,
            closeness=self.closeness(mode) if is_plain(query, image, made=made) else None,
            notices=(
                *(language.notices if language else ()),
                *self._use.notices,
                *(scale.notices() if scale else ()),
            ),
        )

    @property
    def varies(self) -> bool:
        """Whether the generator draws from pictures."""
        return self._drawer is not None and self._drawer.varies

    def without_drawings(self, plan: SearchPlan) -> SearchPlan:
        """The same search by the report's text alone."""
        text = plan.language.text if plan.language else plan.query.report
        reading, searched = read_for_search(text, whole=plan.query.as_written)
        words = self._words(reading.report, searched, SearchMode.TEXT, plan.query)
        plain = is_plain(plan.query, plan.image, made=plan.made)
        closeness = self.closeness(SearchMode.TEXT) if plain else None
        return replace(plan, mode=SearchMode.TEXT, words=words, closeness=closeness)

    def _scale(
        self,
        query: Query,
        image: RgbImage | None,
        made: MadePicture | None,
        where: Mapping[str, Sequence[str]],
    ) -> LikeScale | None:
        if image is None or query.image_mpp_um is None:
            return None
        archive_um = self._common_field_um(tuple((f, tuple(v)) for f, v in where.items()))
        asked_um = field_um(image, query.image_mpp_um, made)
        return None if archive_um is None else LikeScale(asked_um, archive_um)

    def _field_um(self, where: tuple[tuple[str, tuple[str, ...]], ...]) -> float | None:
        """The field of the pictures that such a filter leaves, of a sample."""
        ids = self._catalog.select(dict(where))
        some = ids[:: max(1, len(ids) // _LOOKED_AT)]
        return common_field_um(self._catalog.images(map(ImageId, some.tolist())).values())

    def _variations(self, query: Query, image: RgbImage | None) -> tuple[Provenance, ...]:
        if not query.variations:
            return ()
        if image is None:
            raise InputError(
                "there is no picture to draw variations of",
                value=f"{query.variations} variations",
                expected="a picture beside the question",
                remedy="give the picture, or ask for no variations",
            )
        source = PictureSource.of(image)
        return self.need_drawer().plan(source, n=query.variations, seed=query.seed)

    @cached_property
    def _sites(self) -> Mapping[str, int]:
        return self._catalog.values(SITE)

    def _default_mode(self) -> SearchMode:
        return next(iter(self.modes), SearchMode.PROTOTYPE)

    def _unlike(self, query: Query) -> WordsPlan:
        reading, words = read_for_search(query.unlike, whole=True)
        # a text is enough where the encoder reads it: nothing need be drawn to be avoided
        mode = SearchMode.TEXT if self.reads_text else SearchMode.PROTOTYPE
        return self._words(reading.report, words, mode, query)

    def _words(
        self, report: Report, searched: Affirmed, mode: SearchMode, query: Query
    ) -> WordsPlan:
        plan = self._made_of(report, searched, mode, query)
        if not plan.unread:
            return plan
        # what concludes must be read, if not all can be
        return self._made_of(report, searched.conclusion_first, mode, query)

    def _made_of(
        self, report: Report, words: Affirmed, mode: SearchMode, query: Query
    ) -> WordsPlan:
        unread: list[str] = []
        drawing: DrawingPlan | None = None
        if mode in (SearchMode.TEXT, SearchMode.FUSED):
            unread.append(self._text_encoder(mode).dropped_text(words.text))
        if mode in (SearchMode.PROTOTYPE, SearchMode.FUSED):
            drawer = self.need_drawer()
            n = self.prototypes if query.prototypes is None else query.prototypes
            pictures = drawer.plan(words.text, n=n, seed=query.seed)
            gate = self._gate if query.gate else "none: every drawing was to count"
            drawing = DrawingPlan(pictures, drawer.name, drawer.identity, gate)
            unread.append(pictures[0].dropped_text)
        return WordsPlan(
            report=report,
            searched=words.text,
            kept=tuple(piece.span for piece in words.pieces),
            left_out=words.left_out,
            # each is an end of the same text: what nobody reads is the shorter one
            unread=words.last(min(map(len, unread))),
            mode=mode,
            drawing=drawing,
        )

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

    def _text_encoder(self, mode: SearchMode) -> SupportsText:
        if isinstance(self._encoder, SupportsText):
            return self._encoder
        raise UnsupportedError(
            f"mode {mode} needs an encoder that reads text",
            value=str(self._encoder.spec),
            expected="an encoder with a text tower, such as an open_clip model",
            remedy="use mode prototype: drawn prototypes make this archive searchable by text",
        )


def _of_one(told: Sequence[Specimen], query: Query) -> tuple[str, str]:
    """The specimen that is searched, and what the report says of it; no name: the whole report.

    Raises:
        InputError: the report tells of no such specimen.
    """
    named = query.specimen.strip().casefold()
    if named == ALL_SPECIMENS or (not named and (query.as_written or not told)):
        return "", query.report
    for one in told:
        if named in ("", one.name.casefold()):
            return one.name, one.text
    raise InputError(
        "the report tells of no such specimen",
        value=query.specimen,
        expected=" or ".join((*(one.name for one in told), ALL_SPECIMENS)),
        remedy="name one of them, or none for the first",
    )


def is_plain(query: Query, image: RgbImage | None, *, made: MadePicture | None = None) -> bool:
    """Whether thresholds of closeness serve such a query.

    Marks, exclusions, variations and a picture beside a report change what a similarity means, and
    so does a picture that was made; their scores were never measured.
    """
    if made is not None:
        return False
    marked = query.liked or query.disliked or query.unlike or query.variations
    return not marked and not (query.report and image is not None)


def check_query(query: Query, image: RgbImage | None) -> None:
    """Refuse what no search can answer, though each of its fields could be used.

    Raises:
        InputError: nothing to search with, a case marked both ways, or mode image with a report.
    """
    both = _first(set(query.liked) & set(query.disliked))
    if both is not None:
        raise InputError(
            "a case is marked both ways",
            value=both,
            expected="a case that is wanted or one that is not",
            remedy="take back one of the two marks",
        )
    if query.mode is SearchMode.IMAGE and query.report:
        raise InputError(
            "mode image looks at a picture alone",
            value="mode image with a report",
            expected="a picture without a report, or the mode of the report",
            remedy="leave the mode out: picture and report are then searched together",
        )
    if query.mode is SearchMode.IMAGE and image is None and not query.liked:
        raise InputError(
            "a search takes a report or an image",
            value="mode image without an image",
            expected="an image, or another mode",
        )
    if query.mode not in (None, SearchMode.IMAGE) and image is not None and not query.report:
        raise InputError(
            "a search takes a report or an image",
            value=f"mode {query.mode} with an image and no report",
            expected="a report as well, or the image alone (mode image)",
        )


def _first(cases: Iterable[str]) -> str | None:
    return min(cases, default=None)
