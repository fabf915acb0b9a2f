"""What :mod:`.judging.support` found, in words: the same ones wherever it shows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coin_retrieval.presenting.answer import (
        CaseAnswer,
        DifferenceAnswer,
        PrototypeAnswer,
        ShareAnswer,
        SupportAnswer,
    )
    from coin_retrieval.prototypes.made import LayoutMeasures, MadePicture
    from coin_retrieval.search.judging.support import OneLabel, Support
    from coin_retrieval.search.result import Scope
    from coin_retrieval.search.site import SitePlan

BANNER = "SYNTHETIC prototypes — drawn by a model, no patient"
DEMONSTRATION_BANNER = "demonstration: no patients"
FOOTER = "Reference and decision support; not a diagnosis."

NO_CLOSE_MATCH = "No close match."
CAUTION = (
    "Decision support, not a diagnosis: a share says how the nearest cases of this archive are "
    "distributed, not how likely a diagnosis is for this patient."
)
STANDING_KEY = (
    "Closer than: so many of this archive’s own neighbouring pictures are less alike than the case "
    "is to what was asked."
)
_LEAST = 0.005
RIVALS_TITLE = "Looks alike, but may be something else"
NO_DIAGNOSIS = "no diagnosis given"


def percent(share: float) -> str:
    """A share in whole percent."""
    return f"{share * 100:.0f} %"


def shares_heading(support: Support) -> str:
    """On what the shares rest."""
    if not support.counted:
        return (
            "The nearest cases are the query's own: they are no evidence."
            if support.nearest
            else "No real case among the nearest: pictures that were drawn are no evidence."
        )
    independent = counted(support.counted, support.unit)
    nearest = f"the {counted(support.nearest, 'nearest real case')}"
    heading = (
        f"Diagnoses of {nearest}"
        if support.unit == "case" and support.counted == support.nearest
        else f"Diagnoses of {independent} among {nearest}; each counts once"
        if support.unit != "case"
        else f"Diagnoses of {counted(support.counted, 'independent case')} among {nearest}; copies "
        "and overlapping fields count once"
    )
    if support.not_real:
        heading += f" ({support.not_real} not real, not counted)"
    return f"{heading}. Weighted by similarity, with 95 % intervals:"


def scope_words(scope: Scope, *, exact: bool) -> str:
    """What was searched, and how thoroughly."""
    of = f"the archive’s {scope.images:,} pictures"
    searched = f"all of {of}"
    if scope.fitting < scope.images:
        share = percent(scope.fitting / scope.images)
        searched = f"{scope.fitting:,} of {of} ({share}), those that pass the filter"
    if exact:
        return f"Exact search of {searched}."
    if scope.recall is None:
        return f"Approximate search of {searched}: a nearer picture may have been missed."
    kinds = {
        "pictures": scope.recall.images,
        "texts": scope.recall.texts,
        "drawn pictures": scope.recall.prototypes,
    }
    found = " and ".join(
        f"{percent(recall)} for {kind}" for kind, recall in kinds.items() if recall is not None
    )
    return f"Approximate search of {searched}: of the nearest it finds {found}, as was measured."


def near_words(case: CaseAnswer) -> str:
    """How near a case is, on the archive's own scale where it has one."""
    if case.standing is None:
        return f"similarity {case.similarity:.2f}"
    return percent(case.standing)


def standing_words(case: CaseAnswer) -> str:
    """The same as a sentence."""
    if case.standing is None:
        return near_words(case)
    if case.standing < _LEAST:
        return "farther than neighbours here"
    return f"closer than {near_words(case)} of neighbours here"


def refused_words(prototype: PrototypeAnswer) -> str:
    """Of a drawing that does not count."""
    return f"looks like {prototype.shows}: not counted"


def difference_words(difference: DifferenceAnswer) -> str:
    """In what most cases of a rival differ from most of the leading diagnosis."""
    here = f"{difference.value} ({difference.count} of {difference.of})"
    there = f"{difference.leading} ({difference.leading_count} of {difference.leading_of})"
    return f"{difference.attribute}: {here}, there {there}"


def one_label_words(found: OneLabel) -> str:
    """That the nearest could not but agree."""
    label = found.diagnosis or NO_DIAGNOSIS
    return (
        f"All {counted(found.cases, 'case')} of this site ({found.site}) that were searched bear "
        f"one diagnosis, {label}: agreement says nothing."
    )


def repetition_words(case: CaseAnswer, cases: Sequence[CaseAnswer]) -> str:
    """Why a case is not counted again; empty where it is evidence of its own."""
    if not case.repeats:
        return ""
    place = next((p for p, one in enumerate(cases, 1) if one.case_id == case.repeats), None)
    of = f"place {place}" if place else "the query’s own case"
    shared = {"patient": "same patient", "slide": "same slide"}
    return f"{shared.get(case.repeats_because, 'same cells')} as {of}: not counted again"


def counted(count: int, noun: str) -> str:
    """A number with its noun."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def share_words(share: ShareAnswer, support: SupportAnswer) -> str:
    """One diagnosis: never without its n and its interval."""
    return (
        f"{share.diagnosis or NO_DIAGNOSIS}: {percent(share.share)} ({percent(share.low)} to "
        f"{percent(share.high)}), {share.count} of {counted(support.counted, support.unit)}"
    )


def repeats_words(diagnoses: Sequence[str], diagnosis: str) -> str:
    """How many pictures of other cases repeat one of this case, and what else they are called.

    Args:
        diagnoses: of the repeating pictures, one each.
        diagnosis: the case's own.
    """
    if not diagnoses:
        return ""
    count = len(diagnoses)
    words = f"+{count} near duplicate{'' if count == 1 else 's'}"
    others = sorted({*diagnoses} - {diagnosis, ""})
    return f"{words}, also called {', '.join(others)}" if others else words


def specimen_words(names: Sequence[str], searched: str) -> str:
    """Which specimen of a report of several was searched; empty for a report of one."""
    if not names:
        return ""
    told = f"The report is of {len(names)} specimens ({', '.join(names)})"
    if not searched:
        return f"{told}; their words were searched together."
    others = [name for name in names if name != searched]
    return f"{told}. Searched: {searched}. Search {' and '.join(others)} by itself."


def site_words(site: SitePlan) -> str:
    """Where was searched, and what of the archive was not."""
    if site.lacking:
        return f"Site of the report: {site.name}. The archive has none of it; all was searched."
    if not site.applied:
        return f"Site of the report: {site.name}. All sites were searched."
    why = {
        "named": "named in the report",
        "implied": "implied by the category in the report",
        "asked": "as asked",
    }[site.how.value]
    words = f"Searched: {site.name}, {why}; {site.images:,} pictures."
    if site.with_unspecified:
        return f"{words} {site.unspecified_images:,} of unspecified site were searched, too."
    if site.unspecified_images:
        return f"{words} {site.unspecified_images:,} of unspecified site were not searched."
    return words


def made_words(made: MadePicture, *, disobeys: bool = False) -> str:
    """That a search was with a synthetic picture, and whether it shows what was asked.

    Args:
        disobeys: few of its nuclei lie where they were asked.
    """
    if made.measures is None:
        return (
            "Searched with a SYNTHETIC picture, translated from the one given: what cells mean may "
            "be lost on the way."
        )
    counts = f"{made.measures.nuclei.count} nuclei ({made.measures.asked} asked)"
    if disobeys:
        return (
            f"Searched with a SYNTHETIC picture that does not show what was asked: {counts}, "
            f"{made.measures.placed} of them where they were asked. Draw again with another seed, "
            "or ask for fewer nuclei."
        )
    return f"Searched with a SYNTHETIC picture, drawn from the nuclei asked for: {counts}."


def layout_words(measures: LayoutMeasures) -> str:
    """What a picture drawn of a layout shows, beside what was asked."""
    seen = measures.nuclei
    ratio = "" if seen.nc_ratio is None else f", N/C ratio {seen.nc_ratio:.2f}"
    return (
        f"{seen.count} nuclei ({measures.asked} asked), mean diameter {seen.diameter:.1f} "
        f"{seen.unit}, {percent(seen.crowding)} close to another{ratio}; {measures.placed} of "
        f"{measures.asked} lie where they were asked"
    )
