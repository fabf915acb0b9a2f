"""What a server says besides answers to searches: the archive, its cases, itself, and refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from coin_retrieval.presenting.answer import SearchAnswer
from coin_retrieval.presenting.regions import RegionView


class _Wire(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


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
    region: RegionView | None = Field(
        default=None, description="where on its slide it lies; null of what is no tile"
    )


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


class LayoutsView(_Wire):
    """What draws layouts of nuclei."""

    model: str = Field(description="name of the model")
    kinds: list[str] = Field(description="what a nucleus may be; the first where nobody says")
    side_px: int = Field(description="side of the squares that it draws")
    mpp_um: float | None = Field(description="micrometres a drawn pixel, if known")
    most: int = Field(description="nuclei of one layout at most")


class ArchiveView(_Wire):
    """What the archive holds, and what it can be asked."""

    version: str = Field(description="the published version that this server opened")
    created_at: str = Field(description="UTC, ISO 8601")
    images: int
    cases: int
    demonstration: bool = Field(description="true: drawn pictures, no patients")
    encoder: EncoderView
    generator: str | None = Field(description="name of the generator; null: nothing is drawn")
    varies: bool = Field(description="whether it also draws from pictures")
    layouts: LayoutsView | None = Field(
        default=None, description="what POST /v1/search/layout draws; null: this server does not"
    )
    translator: str | None = Field(
        default=None,
        description="what POST /v1/search/image translates with; null: this server does not",
    )
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
    version: str = Field(default="", description="the archive's version that answers")
    problems: list[str] = Field(default_factory=list, description="what the operator should see to")


class WeekView(_Wire):
    """The searches of one ISO week; shares and means are null without any."""

    name: str = Field(examples=["2026-W48"])
    searches: int
    judged: int = Field(description="searches of which it was told whether a close match exists")
    share_not_close: float | None = Field(description="of those judged: no close match")
    mean_score: float | None = Field(description="mean closeness of the nearest cases")


class DriftView(_Wire):
    """Whether what is asked moves away from what the archive holds."""

    weeks: list[WeekView] = Field(description="oldest first; weeks without searches are absent")


class Problem(_Wire):
    """Why a request was refused: problem details (RFC 9457), and this project's own fields."""

    type: str = Field(examples=["urn:problem-type:coin-retrieval:report"])
    title: str = Field(examples=["Report"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["The report is empty; paste the report's text"])
    kind: str = Field(description="a stable word for programs", examples=["report"])
    problem: str = Field(examples=["the report is empty"])
    value: Any = Field(description="what was given, shortened")
    expected: str | None
    remedy: str | None = Field(examples=["paste the report's text: findings and conclusion"])


class JobView(_Wire):
    """A question that is answered later."""

    id: str
    state: Literal["waiting", "running", "done", "failed"]
    done: int = Field(description="steps of the drawing that are done, `of` how many")
    of: int
    expires_s: float | None = Field(description="until an ended job is forgotten; else null")
    answer: SearchAnswer | None = Field(description="as POST /v1/search gives it, when done")
    problem: Problem | None = Field(description="why there is no answer, when failed")
