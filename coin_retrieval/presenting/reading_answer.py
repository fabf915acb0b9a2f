"""What was read in a report and made of it, as JSON: which parts were searched, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from coin_retrieval.presenting.phrases import site_words

if TYPE_CHECKING:
    from coin_retrieval.language.understanding import Understanding
    from coin_retrieval.reports.searched.affirmed import LeftOut
    from coin_retrieval.reports.words import Span
    from coin_retrieval.search.plan import SearchPlan
    from coin_retrieval.search.site import SitePlan


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class SpanAnswer(_Answer):
    """Characters ``start`` to ``end`` of the report."""

    start: int
    end: int
    text: str


class LeftOutAnswer(SpanAnswer):
    """A part of the report that was not searched."""

    because: str = Field(description="negated, historical, other_person, adequacy or advice")
    why: str = Field(description="because, in words", examples=["of the past"])
    cue: str = Field(description="the words that say so; empty where a heading does")


class SiteAnswer(_Answer):
    """The site of the report, and whether only it was searched."""

    name: str = Field(examples=["urine"])
    how: str = Field(description="named in the report, implied by a category of it, or asked")
    phrase: SpanAnswer | None = Field(description="what names or implies it; null: it was asked")
    applied: bool = Field(description="whether only this site was searched")
    lacking: bool = Field(description="whether the archive has no picture of it")
    values: list[str] = Field(description="the archive's own words for it")
    images: int = Field(description="how many pictures of the archive are of it")
    unspecified_images: int = Field(description="how many pictures are of no specified site")
    with_unspecified: bool = Field(description="whether those were searched, too")
    words: str = Field(description="all of this in words")


class CorrectionAnswer(SpanAnswer):
    """A word of the report that was read as this one."""

    written: str = Field(description="as it stands in the report that was given")


class OfferAnswer(SpanAnswer):
    """A word that stays as it is."""

    meant: list[str] = Field(description="what may have been meant by it")


class ReadingAnswer(_Answer):
    """A report as it was understood; all empty where a picture was searched alone."""

    specimens: list[str] = Field(description="that the report tells apart; empty: it is of one")
    specimen: str = Field(description="which of them was searched; empty: all of the report")
    report: str = Field(
        description="the report as it was read, misspelt words corrected; of several specimens "
        "what it says of the one that was searched"
    )
    searched: str = Field(description="what of it was searched")
    kept: list[SpanAnswer] = Field(description="the parts of the report that make up searched")
    left_out: list[LeftOutAnswer] = Field(description="the parts that were not searched, and why")
    unread: list[SpanAnswer] = Field(
        description="parts that were to be searched, and that no model could read"
    )
    dropped_text: str = Field(description="unread as one text")
    corrections: list[CorrectionAnswer] = Field(description="misspelt words, as they were read")
    offers: list[OfferAnswer] = Field(description="words that may be misspelt and were not changed")
    language: str = Field(description="the report's, if it is told and not English")
    words: int = Field(description="of the report, abbreviations not counted")
    unknown: list[SpanAnswer] = Field(description="words that no model has met")
    site: SiteAnswer | None = Field(description="null: neither report nor question tells one")


def reading_fields(plan: SearchPlan) -> dict[str, Any]:
    """The fields of :class:`ReadingAnswer`."""
    words, language = plan.words, plan.language
    return {
        "specimens": list(plan.specimens),
        "specimen": plan.specimen,
        "report": words.report.text if words else "",
        "searched": words.searched if words else "",
        "kept": [_span(span) for span in words.kept] if words else [],
        "left_out": [_left_out(left) for left in words.left_out] if words else [],
        "unread": [_span(span) for span in words.unread] if words else [],
        "dropped_text": words.dropped_text if words else "",
        **spelling_fields(language),
        "language": language.language if language else "",
        "words": language.words if language else 0,
        "unknown": [_span(span) for span in language.unknown] if language else [],
        "site": _site(plan.site) if plan.site else None,
    }


def spelling_fields(language: Understanding | None) -> dict[str, Any]:
    """What was corrected, and what was not: fields of more than one answer."""
    return {
        "corrections": [
            CorrectionAnswer(**_span(one.span).model_dump(), written=one.written)
            for one in (language.corrections if language else ())
        ],
        "offers": [
            OfferAnswer(**_span(one.span).model_dump(), meant=list(one.meant))
            for one in (language.offers if language else ())
        ],
    }


def _site(site: SitePlan) -> SiteAnswer:
    return SiteAnswer(
        name=site.name,
        how=site.how.value,
        phrase=_span(site.phrase) if site.phrase else None,
        applied=site.applied,
        lacking=site.lacking,
        values=list(site.values),
        images=site.images,
        unspecified_images=site.unspecified_images,
        with_unspecified=site.with_unspecified,
        words=site_words(site),
    )


def _span(span: Span) -> SpanAnswer:
    return SpanAnswer(start=span.start, end=span.end, text=span.text)


def _left_out(left: LeftOut) -> LeftOutAnswer:
    return LeftOutAnswer(
        **_span(left.words).model_dump(),
        because=left.because.value,
        why=left.because.label,
        cue=left.cue.text if left.cue else "",
    )
