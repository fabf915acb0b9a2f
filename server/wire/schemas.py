"""What is asked over the wire, and how records become what is answered."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from coin_retrieval.limits import DEFAULT_PROTOTYPES, MAX_PROTOTYPES, MAX_SEED
from coin_retrieval.presenting.answer import DrawingAnswer, SearchAnswer
from coin_retrieval.presenting.answering import to_answer, to_drawing_answer
from coin_retrieval.presenting.regions import region_of
from coin_retrieval.presenting.views import CaseView, CodeView, ImageView
from coin_retrieval.prototypes.prototype import Drawing, Prototype
from coin_retrieval.search.query import Whole
from coin_retrieval.search.result import SearchResult
from coin_retrieval.types import CaseRecord, ImageRecord


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GenerateRequest(_Wire):
    """A report to draw."""

    report: str = Field(description="a cytology report in plain words")
    n: Whole = Field(
        default=DEFAULT_PROTOTYPES, ge=1, le=MAX_PROTOTYPES, description="how many pictures to draw"
    )
    seed: Whole = Field(
        default=0, ge=0, le=MAX_SEED, description="picture i is drawn from seed + i"
    )


def image_path(image: ImageRecord) -> str:
    """The URL path of an archive picture: HTTP answers never name the server's files."""
    return f"/v1/images/{image.image_id}"


def prototype_path(prototype: Prototype) -> str:
    """The URL path of a prototype."""
    return f"/v1/prototypes/{prototype.prototype_id}.png"


def search_answer(result: SearchResult, made: Prototype | None = None) -> SearchAnswer:
    """The command line's answer, with URL paths where it has files.

    Args:
        made: the picture that was made for the search, where it is kept.
    """
    made_path = "" if made is None else prototype_path(made)
    return to_answer(
        result, prototype_path=prototype_path, image_uri=image_path, made_path=made_path
    )


def generate_answer(drawing: Drawing) -> DrawingAnswer:
    """The command line's answer, with URL paths where it has files."""
    return to_drawing_answer(drawing, prototype_path)


def case_view(case: CaseRecord, images: list[ImageRecord]) -> CaseView:
    """A case in its JSON shape."""
    return CaseView(
        case_id=case.case_id,
        site=case.site,
        specimen=case.specimen,
        stain=case.stain,
        report=case.report,
        codes=[CodeView(system=c.system, edition=c.edition, code=c.code) for c in case.codes],
        images=[_image_view(image) for image in images],
    )


def _image_view(image: ImageRecord) -> ImageView:
    return ImageView(
        image_id=image.image_id,
        uri=image_path(image),
        content_hash=image.content_hash,
        width_px=image.width_px,
        height_px=image.height_px,
        mpp_um=image.mpp_um,
        diagnosis=image.diagnosis,
        finding=image.finding,
        origin=image.origin.value,
        attributes=image.attributes,
        region=region_of(image),
    )
