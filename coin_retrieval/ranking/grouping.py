"""From near images to near cases. Pure functions: the order of hits in, cases out."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from coin_retrieval.types import CaseMatch, CaseRecord, Hit, ImageId, ImageRecord, Match

IMAGES_PER_CASE = 20


def first_cases(
    hits: Iterable[Hit], images: Mapping[ImageId, ImageRecord], k: int
) -> tuple[str, ...]:
    """The first ``k`` distinct case ids of a ranking, in its order; fewer if it has fewer."""
    seen: dict[str, None] = {}
    for hit in hits:
        if len(seen) >= k:
            break
        seen.setdefault(images[hit.image_id].case_id)
    return tuple(seen)


def first_hits(hits: Iterable[Hit], images: Mapping[ImageId, ImageRecord]) -> dict[str, Hit]:
    """Each case's first hit of a ranking."""
    first: dict[str, Hit] = {}
    for hit in hits:
        first.setdefault(images[hit.image_id].case_id, hit)
    return first


def group_by_case(
    order: Sequence[str],
    matches: Iterable[Match],
    cases: Mapping[str, CaseRecord],
    *,
    images_per_case: int = IMAGES_PER_CASE,
) -> list[CaseMatch]:
    """The cases of ``order`` with their matches, best first; matches of other cases are left out.

    A case's similarity is its best image's. At most ``images_per_case`` of its images stay, and
    besides them the best image of every diagnosis that would otherwise be hidden.
    """
    by_case: defaultdict[str, list[Match]] = defaultdict(list)
    for match in matches:
        by_case[match.image.case_id].append(match)
    grouped = []
    for case_id in order:
        ranked = sorted(by_case[case_id], key=lambda m: (-m.similarity, m.image.image_id))
        kept = _keep_every_diagnosis(ranked, images_per_case)
        grouped.append(CaseMatch(cases[case_id], ranked[0].similarity, kept))
    return grouped


def with_repeats(
    grouped: Iterable[CaseMatch],
    folded: Mapping[ImageId, ImageId],
    matches: Mapping[ImageId, Match],
) -> list[CaseMatch]:
    """The cases with their near duplicates: under each, what repeats one of its images.

    Args:
        folded: an image that repeats another → that one.
    """
    repeating: defaultdict[str, list[Match]] = defaultdict(list)
    for repeat, listed in folded.items():
        repeating[matches[listed].image.case_id].append(matches[repeat])
    return [
        replace(found, near_duplicates=tuple(repeating[found.case.case_id])) for found in grouped
    ]


def _keep_every_diagnosis(ranked: Sequence[Match], limit: int) -> tuple[Match, ...]:
    shown = {match.image.diagnosis for match in ranked[:limit]}
    kept = list(ranked[:limit])
    for match in ranked[limit:]:
        if match.image.diagnosis not in shown:
            shown.add(match.image.diagnosis)
            kept.append(match)
    return tuple(kept)
