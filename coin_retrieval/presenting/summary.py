"""An answer in a few sentences, the weightiest first: the same ones wherever an answer shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from coin_retrieval.presenting.phrases import (
    NO_CLOSE_MATCH,
    counted,
    layout_words,
    made_words,
    one_label_words,
    percent,
    scope_words,
    site_words,
    specimen_words,
)

if TYPE_CHECKING:
    from coin_retrieval.search.judging.closeness import Closeness
    from coin_retrieval.search.judging.support import Support
    from coin_retrieval.search.result import SearchResult

LEAST_OBEDIENCE = 2 / 3
"""A choice: half of the asked nuclei are there and no others, or all of them and as many others."""

Level = Literal["warning", "note", "detail"]


class Sentence(BaseModel):
    """One sentence: a warning and a note stand before the cases, a detail behind them."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    level: Level = Field(examples=["note"])
    text: str = Field(examples=["LSIL in 7 of 10 patients (72 %, 95 % interval 40 % to 90 %)."])


def summary_of(result: SearchResult) -> list[Sentence]:
    """What a reader must know of a search, in the order in which it matters."""
    found = [Sentence(level=level, text=text) for level, text in _sentences(result)]
    order: list[Level] = ["warning", "note", "detail"]
    return sorted(found, key=lambda sentence: order.index(sentence.level))


def closeness_words(closeness: Closeness) -> str:
    """Whether the archive holds anything close, and why."""
    first = closeness.reasons[0]
    reason = _REASONS[first.because.value].format(named=f" ({first.named})" if first.named else "")
    if closeness.close is None:
        return f"Whether these cases are close was not judged: {reason}."
    if closeness.close:
        return (
            "Close cases found: the archive holds similar pictures. Whether they are the same "
            "entity is for the reader to judge."
        )
    told = ""
    limit = closeness.limit
    if first.because.value == "below threshold" and limit is not None:
        rate = ("at most " if limit.bound else "") + percent(limit.false_alarm_rate)
        told = f" Of questions that do have a match, {rate} are told this too."
    return f"{NO_CLOSE_MATCH} {reason[0].upper()}{reason[1:]}: these cases may mislead.{told}"


_REASONS = {
    "site lacking": "the archive has no picture of the site that the report names{named}",
    "words unknown": "the report could not be understood{named}",
    "label lacking": "the report reads most like something that the archive does not hold{named}",
    "below threshold": "the archive may hold nothing like this",
    "above threshold": "the archive holds similar pictures",
    "undescribed": "the archive has diagnoses that no known report describes",
    "unlabelled": "the archive’s pictures have no labels to compare a report with",
    "not measured": "what close means for a question like this was never measured here",
}


def _sentences(result: SearchResult) -> Iterator[tuple[Level, str]]:
    site, closeness = result.plan.site, result.closeness
    # closeness tells it where it was judged
    if site is not None and site.lacking and closeness.reasons[0].because.value != "site lacking":
        yield "warning", site_words(site)
    if closeness.close is False:
        yield "warning", closeness_words(closeness)
    support = result.support
    if support is not None and support.one_label is not None:
        yield "warning", one_label_words(support.one_label)
    made = result.plan.made
    if made is not None:
        disobeys = made.measures is not None and made.measures.obedience < LEAST_OBEDIENCE
        yield ("warning" if disobeys else "note"), made_words(made, disobeys=disobeys)
    if specimen := specimen_words(result.plan.specimens, result.plan.specimen):
        yield "note", specimen
    if support is not None:
        yield "note", lead_words(support)
    for case in result.own:
        yield "note", _own_words(result, case.case.case_id)
    refused = sorted({v.shows for v in result.verdicts if v.passed is False})
    if refused:
        count = sum(verdict.passed is False for verdict in result.verdicts)
        yield (
            "note",
            f"{count} of {counted(len(result.verdicts), 'drawing')} show something else "
            f"({', '.join(refused)}) and do not count.",
        )
    for notice in result.notices:
        yield "note", f"{notice[0].upper()}{notice[1:].removesuffix('.')}."
    if closeness.close is not False:
        yield "detail", closeness_words(closeness)
    if made is not None and made.measures is not None:
        yield "detail", f"The synthetic picture shows {layout_words(made.measures)}."
    yield "detail", scope_words(result.scope, exact=result.exact)


def lead_words(support: Support) -> str:
    """What most of the evidence says, never without its n and its interval."""
    if not support.shares:
        return (
            "The nearest cases are the query’s own: they are no evidence."
            if support.nearest
            else "No real case is among the nearest: drawn pictures are no evidence."
        )
    first = support.shares[0]
    told_apart = support.unit == "case" and support.counted != support.nearest
    noun = "independent case" if told_apart else support.unit
    return (
        f"{first.diagnosis or 'No diagnosis is given'} in {first.count} of "
        f"{counted(support.counted, noun)} ({percent(first.share)}, 95 % interval "
        f"{percent(first.low)} to {percent(first.high)})."
    )


def _own_words(result: SearchResult, case_id: str) -> str:
    if case_id in result.plan.query.liked:
        return f"Case {case_id} was marked as liked: it is neither listed nor counted."
    return (
        f"This picture, or part of it, is in the archive (case {case_id}): that case is neither "
        "listed nor counted."
    )
