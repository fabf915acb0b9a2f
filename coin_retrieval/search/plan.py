"""Every decision of a search, made before anything is drawn, and part of its answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from coin_retrieval.archive.measured.calibration import CloseMatch
from coin_retrieval.config import FusionSettings
from coin_retrieval.language.understanding import Understanding
from coin_retrieval.prototypes.made import MadePicture
from coin_retrieval.reports.searched.affirmed import LeftOut
from coin_retrieval.reports.words import Span
from coin_retrieval.search.judging.scale import LikeScale, field_um
from coin_retrieval.search.query import Query
from coin_retrieval.search.site import SitePlan
from coin_retrieval.types import (
    EncoderSpec,
    Provenance,
    Report,
    RgbImage,
    SearchMode,
    content_digest,
)


@dataclass(frozen=True, slots=True)
class DrawingPlan:
    """What is drawn: one provenance a picture, by the generator of this name and identity.

    ``gate`` is the rule that judges the drawings before they count, or none, and why. In place of
    those that it refuses further seeds are drawn, on from the last picture's.
    """

    pictures: tuple[Provenance, ...]
    generator: str
    identity: str
    gate: str = "none"


@dataclass(frozen=True, slots=True)
class WordsPlan:
    """How one text becomes vectors: the ``report`` as it was read, and what is made of it.

    ``searched`` is what is embedded and drawn, made of the report's ``kept`` parts; ``left_out`` is
    what it denies, what is past, of another person, about the specimen or advice, and why. ``mode``
    is text, prototype or fused; ``drawing`` is ``None`` where nothing is drawn. ``unread`` are the
    parts that are searched and that no model of this mode can read. Places are the report's, its
    misspelt words corrected as :attr:`SearchPlan.language` tells.
    """

    report: Report
    searched: str
    kept: tuple[Span, ...]
    left_out: tuple[LeftOut, ...]
    unread: tuple[Span, ...]
    mode: SearchMode
    drawing: DrawingPlan | None

    @property
    def dropped_text(self) -> str:
        """The unread parts as one text."""
        return " ".join(span.text for span in self.unread)


@dataclass(frozen=True, slots=True)
class ArchiveIdentity:
    """Which version of which archive: ``digest`` is over its files' checksums."""

    version: str
    digest: str


@dataclass(frozen=True, slots=True, eq=False)
class SearchPlan:
    """What a search will do.

    ``specimens`` are those that the report tells apart, empty where it is of one, and ``specimen``
    the one that is searched; empty: all of the report.
    ``mode`` is how the query is searched; ``words`` how the report becomes vectors, ``unlike`` the
    same for what is not looked for. ``image`` is a picture to search with, ``scale`` its field
    beside the archive's, where both are known, ``variations`` are to be drawn from it. ``fusion``
    has weights and corrections; ``calibrated`` says whether the archive's calibration chose them,
    and ``uncalibrated_because`` why not. ``closeness`` is the threshold of a close match, ``None``
    where nobody measured one for such a query. ``language`` tells how far the report's words are
    known and which were corrected. ``site`` is the report's, ``where`` the filter with
    it. ``notices`` are for the reader. ``made`` is how ``image`` was made, if it is synthetic.
    """

    query: Query
    archive: ArchiveIdentity
    encoder: EncoderSpec
    mode: SearchMode
    specimens: tuple[str, ...]
    specimen: str
    words: WordsPlan | None
    unlike: WordsPlan | None
    image: RgbImage | None
    scale: LikeScale | None
    variations: tuple[Provenance, ...]
    language: Understanding | None
    site: SitePlan | None
    where: Mapping[str, Sequence[str]]
    fusion: FusionSettings
    calibrated: bool
    uncalibrated_because: str
    closeness: CloseMatch | None
    notices: tuple[str, ...]
    made: MadePicture | None = None

    @property
    def generator(self) -> str | None:
        """Identity of the generator that draws from words; ``None`` if it draws none."""
        plans = [words.drawing for words in (self.words, self.unlike) if words]
        return next((plan.identity for plan in plans if plan), None)

    @property
    def drawings(self) -> tuple[Provenance, ...]:
        """Every picture of words that it needs drawn, or in the cache."""
        plans = [words.drawing for words in (self.words, self.unlike) if words]
        return tuple(picture for plan in plans if plan for picture in plan.pictures)

    @property
    def shown_um(self) -> float | None:
        """The field of the picture that is searched with, in µm across, where it is known."""
        if self.scale is not None:
            return self.scale.shown_um
        if self.image is None or self.query.image_mpp_um is None:
            return None
        return field_um(self.image, self.query.image_mpp_um, self.made)

    def public(self) -> PublicPlan:
        """The plan with digests instead of words: all that logs, audits and links may hold."""
        query = self.query
        drawing = self.words.drawing if self.words else None
        avoided = self.unlike.drawing if self.unlike else None
        return PublicPlan(
            archive_version=self.archive.version,
            archive=self.archive.digest,
            encoder=content_digest(asdict(self.encoder)),
            generator=self.generator,
            mode=self.mode,
            report=_digest_of(self.words.report.text) if self.words else None,
            searched=_digest_of(self.words.searched) if self.words else None,
            specimens=len(self.specimens),
            specimen=self.specimens.index(self.specimen) + 1 if self.specimen else None,
            left_out=tuple(left.because.value for left in self.words.left_out)
            if self.words
            else (),
            unlike=_digest_of(self.unlike.report.text) if self.unlike else None,
            image=None if self.image is None else _digest_of(self.image),
            magnified=self.scale.magnified if self.scale else None,
            variations=tuple(picture.digest for picture in self.variations),
            where={
                field: sorted(_digest_of(value) for value in values)
                for field, values in self.where.items()
            },
            unknown=len(self.language.unknown) if self.language else 0,
            corrected=len(self.language.corrections) if self.language else 0,
            site=_public_site(self.site) if self.site else None,
            prototypes=tuple(p.digest for p in drawing.pictures) if drawing else (),
            seeds=tuple(p.seed for p in drawing.pictures) if drawing else (),
            avoided=tuple(p.digest for p in avoided.pictures) if avoided else (),
            gate=drawing.gate if drawing else None,
            k=query.k,
            liked=query.liked,
            disliked=query.disliked,
            diversity=query.diversity,
            width=query.width,
            near_duplicates=query.near_duplicates,
            fusion=_public_fusion(self.fusion),
            calibrated=self.calibrated,
            uncalibrated_because=self.uncalibrated_because,
            closeness=self.closeness,
            notices=self.notices,
        )


class PublicSite(BaseModel):
    """The site of a report, without its name."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    how: str = Field(description="named, implied or asked")
    applied: bool = Field(description="whether only it was searched")
    lacking: bool = Field(description="whether the archive has no picture of it")
    images: int
    unspecified_images: int


class PublicPlan(BaseModel):
    """A plan without its words: texts, pictures and filter values are SHA-256 digests (hex)."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    archive_version: str = Field(description="the published version that is searched")
    archive: str = Field(description="digest over that version's files")
    encoder: str = Field(description="digest of the encoder's identity")
    generator: str | None = Field(description="identity of the generator; null: nothing is drawn")
    mode: SearchMode = Field(description="fused, prototype, text or image")
    report: str | None = Field(description="digest of the report as it was read")
    searched: str | None = Field(description="digest of what of it is searched")
    specimens: int = Field(description="how many the report tells apart; 0: it is of one")
    specimen: int | None = Field(description="which of them is searched, from 1; null: all")
    left_out: tuple[str, ...] = Field(description="why each of its other parts is not searched")
    unlike: str | None = Field(description="digest of what is not looked for")
    image: str | None = Field(description="digest of the picture's pixels")
    magnified: float | None = Field(
        default=None,
        description="how many times larger the picture was searched with, so that it shows a field "
        "like the archive's; below 1, smaller; null: a scale is not known",
    )
    variations: tuple[str, ...] = Field(
        default=(), description="digests of how pictures are drawn from it"
    )
    where: dict[str, list[str]] = Field(description="the filter, its values as digests")
    unknown: int = Field(description="how many of its words are unknown")
    corrected: int = Field(description="how many of its words were read as others")
    site: PublicSite | None = Field(description="of the report; null: it tells none")
    prototypes: tuple[str, ...] = Field(description="ids of the pictures that stand for the report")
    seeds: tuple[int, ...] = Field(description="their seeds")
    avoided: tuple[str, ...] = Field(description="ids of pictures of what is not looked for")
    gate: str | None = Field(description="what judges the drawings before they count")
    k: int
    liked: tuple[str, ...] = Field(description="marked cases, by their pseudonyms")
    disliked: tuple[str, ...]
    diversity: float
    width: float | None = Field(
        default=None, description="times as widely as tuned that its index is looked through"
    )
    near_duplicates: bool
    fusion: dict[str, Any] = Field(description="weights and corrections; means as a digest")
    calibrated: bool = Field(description="whether the archive's calibration chose mode and fusion")
    uncalibrated_because: str = Field(description="why not; empty if it did")
    closeness: CloseMatch | None = Field(description="threshold of a close match; null: none")
    notices: tuple[str, ...]

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the whole plan: the same digest, the same search."""
        return content_digest(self.model_dump(mode="json"))


def _digest_of(part: str | RgbImage) -> str:
    if isinstance(part, str):
        return sha256(part.encode()).hexdigest()
    return sha256(repr(part.shape).encode() + part.tobytes()).hexdigest()


def _public_site(site: SitePlan) -> PublicSite:
    return PublicSite(
        how=site.how.value,
        applied=site.applied,
        lacking=site.lacking,
        images=site.images,
        unspecified_images=site.unspecified_images,
    )


def _public_fusion(fusion: FusionSettings) -> dict[str, Any]:
    means = fusion.means
    public = fusion.model_dump(exclude={"means"})
    return public | {"means": content_digest(means.model_dump()) if means else None}
