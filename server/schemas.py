"""What goes over the wire besides :mod:`coin_retrieval.presenting.answer`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from coin_retrieval.presenting.answer import (
    PrototypeAnswer,
    SearchAnswer,
    to_answer,
    to_prototype_answer,
)
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


class GenerateAnswer(_Wire):
    """Synthetic pictures of a report: never a patient's cells."""

    report: str = Field(description="the report as it was read")
    dropped_text: str = Field(description="the end of the report that the generator cannot read")
    prototypes: list[PrototypeAnswer]
    timings_ms: dict[str, float]


class CodeView(_Wire):
    """A category of a reporting system."""

    system: str
    edition: str
    code: str


class ImageView(_Wire):
    """A picture of a case."""

    image_id: int
    uri: str = Field(description="where to get it; add ?size= for the longer side in pixels")
    content_hash: str = Field(description="SHA-256 of the source file")
    width_px: int
    height_px: int
    mpp_um: float | None = Field(description="micrometres a pixel, if known")
    diagnosis: str
    finding: str
    origin: str = Field(description="real, generated or translated")
    attributes: Mapping[str, str] = Field(description="the further columns of its manifest")


class CaseView(_Wire):
    """A case of the archive with all its pictures. Ids are pseudonyms."""

    case_id: str
    site: str
    specimen: str
    stain: str
    report: str
    codes: list[CodeView]
    images: list[ImageView]


class ValueView(_Wire):
    """A value of a field."""

    value: str
    images: int = Field(description="how many images have it")


class FieldView(_Wire):
    """A field that `where` can name."""

    name: str
    distinct: int = Field(description="how many values there are")
    values: list[ValueView] = Field(description="the most frequent ones first, not always all")


class EncoderView(_Wire):
    """The identity of the embedding space that the archive lives in."""

    name: str
    revision: str
    dim: int
    weights: str = Field(description="SHA-256 of the weights")


class ArchiveView(_Wire):
    """What the archive holds, and what it can be asked."""

    version: str = Field(description="the published version that this server opened")
    created_at: str = Field(description="UTC, ISO 8601")
    images: int
    cases: int
    demonstration: bool = Field(description="true: drawn pictures, no patients")
    encoder: EncoderView
    generator: str | None = Field(description="name of the generator; null: nothing is drawn")
    modes: list[str] = Field(description="the modes that POST /v1/search takes here, best first")
    prototypes: int = Field(description="how many pictures a search draws if it does not say")
    calibrated: bool = Field(description="whether modes and prototypes were chosen by measurement")
    fields: list[FieldView]


class HealthView(_Wire):
    """The process is alive."""

    status: Literal["ok"]
    version: str


class ReadyView(_Wire):
    """Whether questions can be answered."""

    status: Literal["loading", "ready", "failed"]
    elapsed_s: float


class ErrorDetail(_Wire):
    """Why a request was refused."""

    kind: str = Field(description="a stable word for programs", examples=["report"])
    problem: str = Field(examples=["the report is empty"])
    value: Any = Field(description="what was given, shortened")
    expected: str | None
    remedy: str | None = Field(examples=["paste the report's text: findings and conclusion"])


class ErrorAnswer(_Wire):
    """The one shape of every refusal."""

    error: ErrorDetail


def image_path(image: ImageRecord) -> str:
    """The URL path of an archive picture: HTTP answers never name the server's files."""
    return f"/v1/images/{image.image_id}"


def prototype_path(prototype: Prototype) -> str:
    """The URL path of a prototype."""
    return f"/v1/prototypes/{prototype.prototype_id}.png"


def search_answer(result: SearchResult, *, sites: Iterable[str]) -> SearchAnswer:
    """The command line's answer, with URL paths where it has files."""
    return to_answer(result, prototype_path=prototype_path, image_uri=image_path, sites=sites)


def generate_answer(drawing: Drawing) -> GenerateAnswer:
    """A drawing in its JSON shape."""
    return GenerateAnswer(
        report=drawing.report,
        dropped_text=drawing.dropped_text,
        prototypes=[to_prototype_answer(p, prototype_path) for p in drawing.prototypes],
        timings_ms={stage: round(ms, 2) for stage, ms in drawing.timings_ms.items()},
    )


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
