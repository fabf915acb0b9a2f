"""Everything that can be read from a report, and from which words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from coin_retrieval.reports.categories import Mention, find_categories
from coin_retrieval.reports.contexts import Assertion, Contexts, Scope
from coin_retrieval.reports.normalise import tidy
from coin_retrieval.reports.searched.affirmed import Affirmed, affirmed
from coin_retrieval.reports.searched.asides import Because, asides
from coin_retrieval.reports.sections import SectionKind, lay_out
from coin_retrieval.reports.sites import Named, find_procedure, find_site
from coin_retrieval.reports.terminology import load_terminologies
from coin_retrieval.reports.words import Span, Token, span_of, tokenize
from coin_retrieval.types import Report


@dataclass(frozen=True, slots=True)
class Denied:
    """Words that are not meant as they stand, and the cue that says so."""

    assertion: Assertion
    cue: Span
    words: Span


@dataclass(frozen=True, slots=True)
class Reading:
    """A report with the words that its parts were read from; places are characters of its text.

    ``implied_site`` is what its categories imply where no site is named.
    """

    report: Report
    site: Named | None
    implied_site: Named | None
    procedure: Named | None
    mentions: tuple[Mention, ...]
    denied: tuple[Denied, ...]
    searched: Affirmed


def read_closely(text: str | bytes) -> Reading:
    """Read a report, and tell from which words.

    Raises:
        ReportError: empty, longer than 20,000 characters, not UTF-8, or not made of words.
    """
    return _read(tidy(text))


# one search asks several times what a report says, a calibration asks of hundreds
@lru_cache(maxsize=1024)
def _read(tidied: str) -> Reading:
    tokens = tokenize(tidied)
    layout = lay_out(tidied, tokens)
    sections = layout.number(tokens)
    parts = [layout.sections[n].part for n in sections]
    contexts = Contexts(tokens, sections)
    header = [part is SectionKind.HEADER for part in parts]
    aside: dict[Because, set[int]] = {because: set() for because in Because}
    for one in asides(tokens, sections):
        aside[one.because].update(range(one.start, one.end))
    history = [
        part is SectionKind.HISTORY or place in aside[Because.HISTORICAL]
        for place, part in enumerate(parts)
    ]
    site = find_site(
        tidied,
        tokens,
        contexts,
        header=header,
        history=history,
        others=aside[Because.OTHER_PERSON] | aside[Because.ADVICE],
    )
    procedure = find_procedure(tidied, tokens, contexts, header=header, history=history)
    found = find_categories(tidied, tokens, sections, parts, site=site.name if site else "")
    coded = (mention.code for mention in found.mentions if mention.coded)
    report = Report(
        text=tidied,
        findings=layout.findings,
        conclusion=layout.conclusion,
        site=site.name if site else "",
        procedure=procedure.name if procedure else "",
        codes=tuple(dict.fromkeys(coded)),
    )
    denied = tuple(_denied(tidied, tokens, scope) for scope in found.scopes)
    searched = affirmed(tidied, tokens, layout, phrases=found.phrases)
    implied = None if site else _implied_site(found.mentions)
    return Reading(report, site, implied, procedure, found.mentions, denied, searched)


def _implied_site(mentions: Sequence[Mention]) -> Named | None:
    """The one site that the categories which count imply."""
    implied = {t.system: t.implies for t in load_terminologies()}
    coded = [mention for mention in mentions if mention.coded]
    sites = {implied[mention.code.system] for mention in coded}
    if len(sites) != 1 or "" in sites:
        return None
    return Named(sites.pop(), coded[0].span)


def _denied(text: str, tokens: Sequence[Token], scope: Scope) -> Denied:
    return Denied(
        assertion=scope.assertion,
        cue=span_of(text, tokens, scope.cue_start, scope.cue_end),
        words=span_of(text, tokens, scope.start, scope.end),
    )
