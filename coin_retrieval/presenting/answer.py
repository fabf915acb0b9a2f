"""The answer as JSON: one shape for the command line and the HTTP API.

Who only reads answers, as a client does, loads no more than pydantic: they are made elsewhere.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from coin_retrieval.presenting.phrases import CAUTION
from coin_retrieval.presenting.reading_answer import CorrectionAnswer, OfferAnswer, ReadingAnswer
from coin_retrieval.presenting.regions import RegionView
from coin_retrieval.presenting.summary import Sentence
from coin_retrieval.search.plan import PublicPlan
from coin_retrieval.search.query import Query

Figure = Annotated[float, AfterValidator(lambda value: round(value, 6))]


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class QueryAnswer(ReadingAnswer):
    """The question as it was asked, and as it was understood."""

    asked: Query
    mode: str = Field(description="fused, prototype, text or image")


class PrototypeAnswer(_Answer):
    """A synthetic picture: never a patient's cells."""

    id: str
    path: str = Field(description="a file, or a URL path when served")
    seed: int
    passed: bool | None = Field(
        default=None,
        description="whether it shows what it was drawn for; false: it weighs nothing; null: "
        "nothing judged it, it counts",
    )
    shows: str = Field(
        default="", description="the archive's label that it looks most like; empty: not judged"
    )
    synthetic: bool = True
    provenance: dict[str, Any]


class VariationAnswer(_Answer):
    """A synthetic picture, drawn from the picture of the question: kept in this answer alone."""

    seed: int
    png: str = Field(description="the picture as a PNG that says it is synthetic, in base64")
    synthetic: bool = True
    provenance: dict[str, Any]


class MeasuresAnswer(_Answer):
    """What a picture drawn of a layout shows, beside what was asked."""

    asked: int = Field(description="nuclei of the layout")
    count: int = Field(description="nuclei of the picture")
    placed: int = Field(description="asked nuclei that have a drawn one within 6 px")
    obedience: Figure = Field(description="F1 of the drawn nuclei against the asked, within 6 px")
    diameter: Figure = Field(description="mean, in `unit`")
    unit: str = Field(description="µm where the model knows its scale, else px")
    crowding: Figure = Field(
        description="share of nuclei whose nearest neighbour is closer than 1.5 mean diameters"
    )
    covered: Figure = Field(description="share of the picture that is nucleus")
    nc_ratio: Figure | None = Field(
        description="nuclear area over that of nuclei and cytoplasm; null: no cytoplasm was drawn"
    )


class MadeAnswer(_Answer):
    """The synthetic picture that was searched with: never a patient's cells."""

    how: Literal["drawn", "translated"] = Field(
        description="drawn of a layout, or translated from the picture given"
    )
    path: str = Field(description="a file, or a URL path when served; empty: see png")
    png: str = Field(
        description="where it is kept nowhere, as what is made of a picture: a PNG that says it "
        "is synthetic, in base64; else empty"
    )
    seed: int
    synthetic: bool = True
    measures: MeasuresAnswer | None = Field(description="of its nuclei; null of a translation")
    provenance: dict[str, Any]


class PartAnswer(_Answer):
    """What one part of the query says of a picture."""

    kind: str = Field(
        description="text, prototype, image, variation, liked, disliked, unlike, or archive (what "
        "whitening takes off for all pictures)"
    )
    label: str = Field(description="a drawing's seed, a marked case's id; else empty")
    cosine: Figure = Field(description="the picture's own cosine similarity to this part")
    corrected: Figure = Field(description="the same after the corrections")
    share: Figure = Field(description="its summand of the picture's score")
    rank: int | None = Field(
        description="where this part alone finds the picture; null: not asked, or farther down"
    )


class ImageAnswer(_Answer):
    """A picture of the archive, and why it was found."""

    image_id: int
    uri: str = Field(description="the picture's file, or a URL path when served")
    similarity: Figure
    score: Figure | None = Field(description="what it was ranked by: the sum of its parts' shares")
    parts: list[PartAnswer]
    diagnosis: str
    finding: str
    origin: str = Field(description="real, generated or translated")
    region: RegionView | None = Field(
        default=None, description="where on its slide it lies; null of what is no tile"
    )


class NearDuplicateAnswer(_Answer):
    """A picture of another case that repeats one of this case: no independent evidence."""

    case_id: str
    image_id: int
    diagnosis: str
    similarity: Figure


class CaseAnswer(_Answer):
    """A case: diagnosis and finding are its best-matching image's, ``diagnoses`` all found."""

    case_id: str
    patient_id: str = Field(description="whose case it is, a pseudonym; empty where unknown")
    similarity: Figure
    standing: float | None = Field(
        description="share of the archive's own neighbouring pictures that are less alike than "
        "this case is to the query, 0 to 1; null where the archive has not measured it"
    )
    site: str
    specimen: str
    stain: str
    diagnosis: str
    finding: str
    diagnoses: list[str]
    images: list[ImageAnswer]
    near_duplicates: list[NearDuplicateAnswer] = Field(
        description="pictures of other cases that repeat one of this case, folded here; empty "
        "where near duplicates were asked for as cases"
    )
    repeats: str = Field(
        description="the case before it whose evidence it repeats, so that it is not counted "
        "again; empty for independent evidence"
    )
    repeats_because: str = Field(
        description="what both have in common: patient, slide or picture; else empty"
    )


class OwnCaseAnswer(_Answer):
    """A case that the query itself comes from."""

    case: CaseAnswer
    because: str = Field(description="marked (as liked), or picture (it holds the query's)")


class ShareAnswer(_Answer):
    """One diagnosis among the independent evidence."""

    diagnosis: str = Field(description="empty: none was given", examples=["LSIL"])
    count: int = Field(description="how many of support.counted bear it", examples=[6])
    share: Figure = Field(description="weighted by similarity", examples=[0.612])
    low: Figure = Field(description="lower end of the share's 95 % interval", examples=[0.317])
    high: Figure = Field(description="upper end", examples=[0.841])


class SupportAnswer(_Answer):
    """What the nearest cases say, and how little. Decision support, not a diagnosis."""

    counted: int = Field(
        description="independent pieces of evidence that the shares rest on", examples=[10]
    )
    unit: str = Field(
        description="what they are: patient, else slide, else case; overlapping fields and copies "
        "count once, the query's own case not at all",
        examples=["patient"],
    )
    nearest: int = Field(description="real cases that they came from", examples=[10])
    one_label: str = Field(
        description="set where all that was searched bears one diagnosis, in words: agreement then "
        "says nothing; else empty"
    )
    not_real: int = Field(description="nearest cases without a real picture: never counted")
    shares: list[ShareAnswer] = Field(description="largest first; they sum to 1")
    heading: str = Field(description="what the shares rest on, in words")
    caution: str = Field(description="to be shown with the shares", examples=[CAUTION])


class ScopeAnswer(_Answer):
    """What was searched, and how thoroughly."""

    fitting: int = Field(description="pictures that passed the filter")
    images: int = Field(description="pictures of the archive")
    recall_pictures: float | None = Field(
        description="share of the nearest that the index finds for pictures, measured when it was "
        "built; null: it looked at every picture, or nobody measured it"
    )
    recall_texts: float | None = Field(description="the same for texts")
    recall_prototypes: float | None = Field(
        description="the same for drawn pictures, where `coin calibrate` measured it"
    )
    words: str = Field(description="all of it in words")


class DifferenceAnswer(_Answer):
    """An attribute that most cases of a rival have otherwise than most of the leading diagnosis."""

    attribute: str = Field(examples=["nucleus shape"])
    value: str = Field(description="what count of `of` nearest cases of the rival have")
    count: int
    of: int
    leading: str = Field(description="the same of the leading diagnosis")
    leading_count: int
    leading_of: int


class RivalAnswer(_Answer):
    """The leading diagnosis, or one that must be ruled out, with its nearest real cases."""

    diagnosis: str
    count: int = Field(description="how many of support.counted bear it; 0: none of the nearest")
    cases: list[CaseAnswer] = Field(description="its nearest real cases")
    differs: list[DifferenceAnswer] = Field(
        description="from the leading diagnosis, by the ten nearest cases of each; clearest first"
    )


class ReasonAnswer(_Answer):
    """What a verdict of closeness rests on."""

    because: str = Field(examples=["site lacking"])
    named: str = Field(description="the site or entity that it is about; empty where none")


class ClosenessAnswer(_Answer):
    """Whether the archive holds a close match."""

    verdict: str = Field(description="yes, no or not judged", examples=["yes"])
    reasons: list[ReasonAnswer] = Field(description="the weightiest first")
    words: str
    score: Figure | None = Field(
        description="what the verdict rests on; null where nothing was scored", examples=[0.734]
    )
    threshold: float | None = Field(
        description="a score below it is no close match; null where none serves such a query",
        examples=[0.61],
    )
    false_alarm_rate: float | None = Field(
        description="share of queries with a match that fall below it nevertheless",
        examples=[0.05],
    )


class SearchAnswer(_Answer):
    """Prototypes and the nearest real cases. Decision support, never a diagnosis by itself."""

    summary: list[Sentence] = Field(
        description="the answer in a few sentences, the weightiest first; warnings and notes are "
        "to be read before the cases"
    )
    closeness: ClosenessAnswer
    query: QueryAnswer
    prototypes: list[PrototypeAnswer]
    variations: list[VariationAnswer] = Field(
        default_factory=list,
        description="drawn from the picture of the question, if that was asked",
    )
    searched_with: MadeAnswer | None = Field(
        default=None,
        description="the synthetic picture that was made for this search; null: none was",
    )
    own: list[OwnCaseAnswer] = Field(
        description="the query's own cases: marked ones, and those that hold the very picture; "
        "neither listed nor counted"
    )
    cases: list[CaseAnswer]
    support: SupportAnswer | None = Field(
        description="of the nearest cases, also where the list is varied; null if none was found"
    )
    rivals: list[RivalAnswer] = Field(
        description="the leading diagnosis first, then its rivals; empty unless asked for"
    )
    exact: bool = Field(description="false: the index may have missed a nearer picture")
    scope: ScopeAnswer
    notices: list[str] = Field(
        description="for the reader, such as that the archive's calibration does not apply"
    )
    plan: PublicPlan = Field(description="every decision of the search, by which it is replayed")
    plan_digest: str = Field(
        default="", description="SHA-256 (hex) of the plan: the same digest, the same search"
    )
    timings_ms: dict[str, float]


class DrawingAnswer(_Answer):
    """Synthetic pictures of a report: never a patient's cells."""

    report: str = Field(description="the report as it was read")
    corrections: list[CorrectionAnswer] = Field(description="misspelt words, as they were read")
    offers: list[OfferAnswer] = Field(description="words that may be misspelt and were not changed")
    notices: list[str] = Field(description="for the reader, such as that it is not understood")
    dropped_text: str = Field(description="the end of the report that the generator cannot read")
    prototypes: list[PrototypeAnswer]
    timings_ms: dict[str, float]
