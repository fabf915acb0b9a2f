"""Making the answer: what was found, in the shape that every face shows."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import asdict

from coin_retrieval.presenting.answer import (
    CaseAnswer,
    ClosenessAnswer,
    DifferenceAnswer,
    DrawingAnswer,
    ImageAnswer,
    MadeAnswer,
    MeasuresAnswer,
    NearDuplicateAnswer,
    OwnCaseAnswer,
    PartAnswer,
    PrototypeAnswer,
    QueryAnswer,
    ReasonAnswer,
    RivalAnswer,
    ScopeAnswer,
    SearchAnswer,
    ShareAnswer,
    SupportAnswer,
    VariationAnswer,
)
from coin_retrieval.presenting.phrases import (
    CAUTION,
    one_label_words,
    scope_words,
    shares_heading,
)
from coin_retrieval.presenting.reading_answer import (
    reading_fields,
    spelling_fields,
)
from coin_retrieval.presenting.regions import region_of
from coin_retrieval.presenting.summary import closeness_words, summary_of
from coin_retrieval.prototypes.cache import encode_synthetic
from coin_retrieval.prototypes.gate import Verdict
from coin_retrieval.prototypes.made import LayoutMeasures, MadePicture
from coin_retrieval.prototypes.prototype import Drawing, Prototype
from coin_retrieval.ranking.evidence import Repetition
from coin_retrieval.search.judging.closeness import Closeness
from coin_retrieval.search.judging.support import Support
from coin_retrieval.search.result import SearchResult
from coin_retrieval.types import CaseMatch, ImageRecord, Match, Sample


def to_answer(
    result: SearchResult,
    *,
    prototype_path: Callable[[Prototype], str] = lambda p: str(p.path),
    image_uri: Callable[[ImageRecord], str] = lambda image: image.uri,
    made_path: str = "",
) -> SearchAnswer:
    """A search result in its JSON shape; the callables say where pictures can be had.

    Args:
        made_path: where the picture that was made for it is kept; empty: nowhere.
    """
    made = result.plan.made
    repeated = result.support.repeated if result.support else {}
    return SearchAnswer(
        summary=summary_of(result),
        closeness=_to_closeness_answer(result.closeness),
        query=QueryAnswer(
            asked=result.plan.query, mode=result.mode.value, **reading_fields(result.plan)
        ),
        prototypes=[
            to_prototype_answer(
                prototype, prototype_path, result.verdicts[place] if result.verdicts else None
            )
            for place, prototype in enumerate(result.prototypes)
        ],
        variations=[_to_variation_answer(sample) for sample in result.variations],
        searched_with=None if made is None else _to_made_answer(made, made_path),
        own=[
            OwnCaseAnswer(
                case=to_case_answer(case, image_uri),
                because="marked" if case.case.case_id in result.plan.query.liked else "picture",
            )
            for case in result.own
        ],
        cases=[
            to_case_answer(case, image_uri, repeated=repeated.get(case.case.case_id))
            for case in result.cases
        ],
        support=to_support_answer(result.support) if result.support else None,
        rivals=[
            RivalAnswer(
                diagnosis=rival.diagnosis,
                count=rival.share.count if rival.share else 0,
                cases=[to_case_answer(case, image_uri) for case in rival.cases],
                differs=[
                    DifferenceAnswer(
                        **asdict(difference) | {"attribute": difference.attribute.replace("_", " ")}
                    )
                    for difference in rival.differs
                ],
            )
            for rival in result.rivals
        ],
        exact=result.exact,
        scope=ScopeAnswer(
            fitting=result.scope.fitting,
            images=result.scope.images,
            recall_pictures=result.scope.recall.images if result.scope.recall else None,
            recall_texts=result.scope.recall.texts if result.scope.recall else None,
            recall_prototypes=result.scope.recall.prototypes if result.scope.recall else None,
            words=scope_words(result.scope, exact=result.exact),
        ),
        notices=list(result.notices),
        plan=(plan := result.plan.public()),
        plan_digest=plan.digest,
        timings_ms=_rounded(result.timings_ms),
    )


def _to_closeness_answer(closeness: Closeness) -> ClosenessAnswer:
    limit = closeness.limit
    return ClosenessAnswer(
        verdict=closeness.verdict.value,
        reasons=[
            ReasonAnswer(because=reason.because.value, named=reason.named)
            for reason in closeness.reasons
        ],
        words=closeness_words(closeness),
        score=closeness.score,
        threshold=limit.threshold if limit else None,
        false_alarm_rate=limit.false_alarm_rate if limit else None,
    )


def to_support_answer(support: Support) -> SupportAnswer:
    """Decision support in its JSON shape, its words included."""
    return SupportAnswer(
        counted=support.counted,
        unit=support.unit,
        nearest=support.nearest,
        one_label=one_label_words(support.one_label) if support.one_label else "",
        not_real=support.not_real,
        shares=[ShareAnswer(**asdict(share)) for share in support.shares],
        heading=shares_heading(support),
        caution=CAUTION,
    )


def to_drawing_answer(
    drawing: Drawing, path: Callable[[Prototype], str] = lambda p: str(p.path)
) -> DrawingAnswer:
    """A drawing in its JSON shape."""
    return DrawingAnswer(
        report=drawing.report,
        **spelling_fields(drawing.language),
        notices=list(drawing.language.notices),
        dropped_text=drawing.dropped_text,
        prototypes=[to_prototype_answer(p, path) for p in drawing.prototypes],
        timings_ms=_rounded(drawing.timings_ms),
    )


def to_prototype_answer(
    prototype: Prototype,
    path: Callable[[Prototype], str] = lambda p: str(p.path),
    verdict: Verdict | None = None,
) -> PrototypeAnswer:
    """One prototype in its JSON shape."""
    return PrototypeAnswer(
        id=prototype.prototype_id,
        path=path(prototype),
        seed=prototype.provenance.seed,
        passed=verdict.passed if verdict else None,
        shows=verdict.shows if verdict else "",
        provenance=prototype.provenance.as_dict(),
    )


def _to_variation_answer(sample: Sample) -> VariationAnswer:
    made = sample.provenance
    return VariationAnswer(seed=made.seed, png=_inline(sample), provenance=made.as_dict())


def _to_made_answer(made: MadePicture, path: str) -> MadeAnswer:
    provenance = made.sample.provenance
    return MadeAnswer(
        how=made.how,
        path=path,
        png="" if path else _inline(made.sample),
        seed=provenance.seed,
        measures=None if made.measures is None else _to_measures_answer(made.measures),
        provenance=provenance.as_dict(),
    )


def _to_measures_answer(measures: LayoutMeasures) -> MeasuresAnswer:
    return MeasuresAnswer(
        **asdict(measures.nuclei),
        asked=measures.asked,
        placed=measures.placed,
        obedience=measures.obedience,
    )


def _inline(sample: Sample) -> str:
    """A picture that is kept nowhere, as it stands in an answer."""
    return b64encode(encode_synthetic(sample.image)).decode()


def to_case_answer(
    match: CaseMatch,
    image_uri: Callable[[ImageRecord], str] = lambda image: image.uri,
    *,
    repeated: Repetition | None = None,
) -> CaseAnswer:
    """One case in its JSON shape; ``repeated`` says whose evidence it repeats."""
    best = match.matches[0].image
    return CaseAnswer(
        case_id=match.case.case_id,
        patient_id=match.case.patient_id,
        similarity=match.similarity,
        standing=None if match.standing is None else round(match.standing, 3),
        site=match.case.site,
        specimen=match.case.specimen,
        stain=match.case.stain,
        diagnosis=best.diagnosis,
        finding=best.finding,
        diagnoses=list(dict.fromkeys(m.image.diagnosis for m in match.matches)),
        images=[_to_image_answer(m, image_uri) for m in match.matches],
        near_duplicates=[
            NearDuplicateAnswer(
                case_id=repeat.image.case_id,
                image_id=repeat.image.image_id,
                diagnosis=repeat.image.diagnosis,
                similarity=repeat.similarity,
            )
            for repeat in match.near_duplicates
        ],
        repeats=repeated.of if repeated else "",
        repeats_because=repeated.because if repeated else "",
    )


def _to_image_answer(match: Match, image_uri: Callable[[ImageRecord], str]) -> ImageAnswer:
    return ImageAnswer(
        image_id=match.image.image_id,
        uri=image_uri(match.image),
        similarity=match.similarity,
        score=match.score,
        parts=[PartAnswer(**asdict(part)) for part in match.parts],
        diagnosis=match.image.diagnosis,
        finding=match.image.finding,
        origin=match.image.origin.value,
        region=region_of(match.image),
    )


def _rounded(timings_ms: Mapping[str, float]) -> dict[str, float]:
    return {stage: round(ms, 2) for stage, ms in timings_ms.items()}
