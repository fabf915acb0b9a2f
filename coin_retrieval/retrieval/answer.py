"""The answer as JSON: one shape for the command line and the HTTP API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from coin_retrieval.retrieval.query import Drawing, Prototype, SearchResult
from coin_retrieval.types import CaseMatch, ImageRecord, Match


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class QueryAnswer(_Answer):
    """The question as it was understood."""

    report: str
    mode: str = Field(description="fused, prototype, text or image")
    dropped_text: str = Field(description="the end of the report that no model could read")


class PrototypeAnswer(_Answer):
    """A synthetic picture: never a patient's cells."""

    id: str
    path: str = Field(description="a file, or a URL path when served")
    seed: int
    synthetic: bool = True
    provenance: dict[str, Any]


class ImageAnswer(_Answer):
    """A picture of the archive."""

    image_id: int
    uri: str = Field(description="the picture's file, or a URL path when served")
    similarity: float
    diagnosis: str
    finding: str
    origin: str = Field(description="real, generated or translated")


class CaseAnswer(_Answer):
    """A case: diagnosis and finding are its best-matching image's, ``diagnoses`` all found."""

    case_id: str
    similarity: float
    site: str
    specimen: str
    stain: str
    diagnosis: str
    finding: str
    diagnoses: list[str]
    images: list[ImageAnswer]


class SearchAnswer(_Answer):
    """Prototypes and the nearest real cases. Decision support, never a diagnosis by itself."""

    query: QueryAnswer
    prototypes: list[PrototypeAnswer]
    cases: list[CaseAnswer]
    timings_ms: dict[str, float]


class DrawingAnswer(_Answer):
    """Synthetic pictures of a report: never a patient's cells."""

    report: str = Field(description="the report as it was read")
    dropped_text: str = Field(description="the end of the report that the generator cannot read")
    prototypes: list[PrototypeAnswer]
    timings_ms: dict[str, float]


def to_answer(
    result: SearchResult,
    *,
    prototype_path: Callable[[Prototype], str] = lambda p: str(p.path),
    image_uri: Callable[[ImageRecord], str] = lambda image: image.uri,
) -> SearchAnswer:
    """A search result in its JSON shape; the two callables say where pictures can be had."""
    return SearchAnswer(
        query=QueryAnswer(
            report=result.report, mode=result.mode.value, dropped_text=result.dropped_text
        ),
        prototypes=[to_prototype_answer(p, prototype_path) for p in result.prototypes],
        cases=[to_case_answer(case, image_uri) for case in result.cases],
        timings_ms=_rounded(result.timings_ms),
    )


def to_drawing_answer(
    drawing: Drawing, path: Callable[[Prototype], str] = lambda p: str(p.path)
) -> DrawingAnswer:
    """A drawing in its JSON shape."""
    return DrawingAnswer(
        report=drawing.report,
        dropped_text=drawing.dropped_text,
        prototypes=[to_prototype_answer(p, path) for p in drawing.prototypes],
        timings_ms=_rounded(drawing.timings_ms),
    )


def to_prototype_answer(
    prototype: Prototype, path: Callable[[Prototype], str] = lambda p: str(p.path)
) -> PrototypeAnswer:
    """One prototype in its JSON shape."""
    return PrototypeAnswer(
        id=prototype.prototype_id,
        path=path(prototype),
        seed=prototype.provenance.seed,
        provenance=prototype.provenance.as_dict(),
    )


def to_case_answer(
    match: CaseMatch, image_uri: Callable[[ImageRecord], str] = lambda image: image.uri
) -> CaseAnswer:
    """One case in its JSON shape."""
    best = match.matches[0].image
    return CaseAnswer(
        case_id=match.case.case_id,
        similarity=round(match.similarity, 6),
        site=match.case.site,
        specimen=match.case.specimen,
        stain=match.case.stain,
        diagnosis=best.diagnosis,
        finding=best.finding,
        diagnoses=list(dict.fromkeys(m.image.diagnosis for m in match.matches)),
        images=[_to_image_answer(m, image_uri) for m in match.matches],
    )


def _to_image_answer(match: Match, image_uri: Callable[[ImageRecord], str]) -> ImageAnswer:
    return ImageAnswer(
        image_id=match.image.image_id,
        uri=image_uri(match.image),
        similarity=round(match.similarity, 6),
        diagnosis=match.image.diagnosis,
        finding=match.image.finding,
        origin=match.image.origin.value,
    )


def _rounded(timings_ms: Mapping[str, float]) -> dict[str, float]:
    return {stage: round(ms, 2) for stage, ms in timings_ms.items()}
