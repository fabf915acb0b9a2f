"""What is asked over the wire, and how records become what is answered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from coin_retrieval.presenting.answer import (
    DrawingAnswer,
    SearchAnswer,
    to_answer,
    to_drawing_answer,
)
from coin_retrieval.presenting.views import CaseView, CodeView, ImageView
from coin_retrieval.prototypes.prototype import Drawing, Prototype
from coin_retrieval.search.query import SearchResult
from coin_retrieval.types import CaseRecord, ImageRecord
from server.limits import MAX_CASES, MAX_MARKS, MAX_PROTOTYPES, MAX_SEED

WhereValue = str | list[str]

_EXAMPLE_REPORT = "Bilobed nucleus; the cytoplasm is packed with coarse orange-red granules."

ReportText = Annotated[
    str,
    Field(
        description="a cytology report in plain words; it is neither stored in the archive nor "
        "logged, but the prototypes drawn from it carry it in their metadata",
        examples=[_EXAMPLE_REPORT],
    ),
]
CaseCount = Annotated[int, Field(ge=1, le=MAX_CASES, description="how many cases to find")]
Seed = Annotated[
    int,
    Field(ge=0, le=MAX_SEED, description="prototype i is drawn from seed + i"),
]
Where = Annotated[
    dict[str, WhereValue],
    Field(
        description="only images that fit: field → value, or a list of values of which one must "
        "fit; GET /v1/archive names the fields and their values",
        examples=[{"site": "cervix"}],
    ),
]


Marked = Annotated[
    list[Annotated[str, Field(min_length=1)]],
    Field(
        max_length=MAX_MARKS,
        description="case ids that a reader marked; the query moves towards the liked ones and "
        "away from the disliked (Rocchio 1971)",
        examples=[["case-17"]],
    ),
]
Unlike = Annotated[
    str, Field(description="what is not looked for, in words", examples=["inflammation only"])
]
Diversity = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="0 lists the nearest cases; above it, cases that differ are preferred "
        "(maximal marginal relevance); support is of the nearest ones either way",
    ),
]
NearDuplicates = Annotated[
    bool,
    Field(
        description="true lists pictures that repeat another case's; false folds them under that "
        "case, as no independent evidence"
    ),
]
PrototypeCount = Annotated[
    int | None,
    Field(
        ge=1,
        le=MAX_PROTOTYPES,
        description="how many pictures to draw; leave it out for what the archive was calibrated "
        "to, else 4",
    ),
]
Mode = Annotated[
    Literal["fused", "prototype", "text"] | None,
    Field(
        description="how the report becomes a query: by the pictures drawn from it (prototype), "
        "by its text, or by both (fused); leave it out for what the archive was calibrated to, "
        "else the best that it supports"
    ),
]


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SearchRequest(_Wire):
    """A report, and how to search with it; it may be empty where cases are liked."""

    report: ReportText
    mode: Mode = None
    k: CaseCount = 10
    where: Where = Field(default_factory=dict)
    liked: Marked = Field(default_factory=list)
    disliked: Marked = Field(default_factory=list)
    unlike: Unlike = ""
    diversity: Diversity = 0.0
    near_duplicates: NearDuplicates = False
    prototypes: PrototypeCount = None
    seed: Seed = 0


class GenerateRequest(_Wire):
    """A report to draw."""

    report: ReportText
    n: int = Field(default=4, ge=1, le=MAX_PROTOTYPES, description="how many pictures to draw")
    seed: Seed = 0


def image_path(image: ImageRecord) -> str:
    """The URL path of an archive picture: HTTP answers never name the server's files."""
    return f"/v1/images/{image.image_id}"


def prototype_path(prototype: Prototype) -> str:
    """The URL path of a prototype."""
    return f"/v1/prototypes/{prototype.prototype_id}.png"


def search_answer(result: SearchResult, *, sites: Iterable[str]) -> SearchAnswer:
    """The command line's answer, with URL paths where it has files."""
    return to_answer(result, prototype_path=prototype_path, image_uri=image_path, sites=sites)


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
    )


def where_values(where: Mapping[str, WhereValue]) -> dict[str, list[str]]:
    """A filter as the library has it: every value in a list."""
    return {
        field: [value] if isinstance(value, str) else list(value) for field, value in where.items()
    }
