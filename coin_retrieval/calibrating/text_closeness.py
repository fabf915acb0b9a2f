"""What an archive can answer, from its own labels, sites and reports: no labelled query needed.

Measured when an archive is built and again when it is calibrated; seconds, whatever its size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from coin_retrieval.archive.measured.calibration import CloseMatch, close_match_from
from coin_retrieval.archive.measured.closeness import OwnReports, TextCloseness
from coin_retrieval.catalog.base import Catalog
from coin_retrieval.catalog.writing import chunks
from coin_retrieval.encoding.sentences import SentenceEncoder
from coin_retrieval.errors import CoinError, MissingDependencyError, ModelError
from coin_retrieval.reports.plain import read_and_choose
from coin_retrieval.reports.reading import read_closely
from coin_retrieval.search.judging.closeness import ReportJudge
from coin_retrieval.search.judging.text_closeness import (
    ReportSet,
    packed,
    report_set,
    scores,
    sides,
)
from coin_retrieval.types import CaseRecord, DiagnosisCode, ImageId, ImageIds, ImageRecord, Origin
from coin_retrieval.wordings.captions import FindingWords, load_lexicon
from coin_retrieval.wordings.known import KnownSentences, known_sentences

FEWEST_REPORTS = 20
"""Labelled reports that set a threshold by themselves; fewer join those that set it before."""

_OWN_REPORTS, _OF_LABEL = 240, 24
_SAMPLE = 20_000
"""Pictures whose cases' reports are looked at."""

_FEWEST_OWN = 5
"""Own reports that describe a label which the program has no words for."""


@dataclass(frozen=True)
class Holdings:
    """What an archive holds, by its records.

    ``findings`` and ``diagnoses`` are all there are; ``undetailed`` are the diagnoses of pictures
    without a finding. ``reports`` are the cases' own, by the label of their pictures.
    """

    findings: frozenset[str] = frozenset()
    diagnoses: frozenset[str] = frozenset()
    undetailed: frozenset[str] = frozenset()
    sites: frozenset[str] = frozenset()
    reports: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def labels(self) -> frozenset[str]:
        """What its pictures are called: their findings, else their diagnoses."""
        return self.findings | self.undetailed


def holdings_of(images: Iterable[tuple[ImageRecord, CaseRecord]]) -> Holdings:
    """What these pictures, each with its case, are of."""
    findings: set[str] = set()
    diagnoses: set[str] = set()
    undetailed: set[str] = set()
    sites: set[str] = set()
    reports: dict[str, dict[str, None]] = {}
    for image, case in images:
        findings |= {image.finding} - {""}
        diagnoses |= {image.diagnosis} - {""}
        undetailed |= {image.diagnosis} - {""} if not image.finding else set()
        sites |= {case.site} - {""}
        label = image.finding or image.diagnosis
        if case.report and label:
            reports.setdefault(label, {})[case.report] = None
    return Holdings(
        findings=frozenset(findings),
        diagnoses=frozenset(diagnoses),
        undetailed=frozenset(undetailed),
        sites=frozenset(sites),
        reports={label: tuple(texts) for label, texts in sorted(reports.items())},
    )


def measure_closeness(catalog: Catalog) -> TextCloseness | None:
    """What an archive's records say of the reports that it can answer; see :func:`text_closeness`.

    Generated and translated pictures count where no other is there: a demonstration. Labels and
    sites are all that there are, reports those of a sample. ``None`` also where the program's known
    reports cannot be read.
    """
    ids = catalog.sample(_SAMPLE, {"origin": [Origin.REAL.value]})
    if not len(ids):
        ids = catalog.sample(_SAMPLE, {})
    found = replace(
        holdings_of(_with_cases(catalog, ids)),
        findings=frozenset(catalog.values("finding")) - {""},
        diagnoses=frozenset(catalog.values("diagnosis")) - {""},
        sites=frozenset(catalog.values("site")) - {""},
    )
    try:
        return text_closeness(found, known_sentences(), SentenceEncoder())
    except (ModelError, MissingDependencyError):
        return None


def _with_cases(catalog: Catalog, ids: ImageIds) -> Iterator[tuple[ImageRecord, CaseRecord]]:
    """A few at a time: of thousands of records there may be megabytes."""
    for some in chunks(ImageId(i) for i in ids.tolist()):
        images = catalog.images(some).values()
        cases = catalog.cases({image.case_id for image in images})
        yield from ((image, cases[image.case_id]) for image in images)


def text_closeness(
    holdings: Holdings, known: KnownSentences, sentences: SentenceEncoder
) -> TextCloseness | None:
    """By what, and from where on, this archive's queries of words are judged.

    ``None`` where the program knows no report of anything that it holds.
    """
    labelled = bool(holdings.labels)
    if labelled:
        entities, worded = _entities(holdings, known)
    else:
        sited = {report.entity for report in known.reports if report.site in holdings.sites}
        entities, worded = sited, set()
    own = _own_reports(holdings, sentences)
    described = worded | {part.label for part in own if part.count >= _FEWEST_OWN}
    block = TextCloseness(
        known=known.digest,
        entities=tuple(sorted(entities)),
        sites=tuple(sorted(holdings.sites)),
        unworded=tuple(sorted(holdings.labels - described)),
        labelled=labelled,
        own=own,
    )
    if not entities and not own:
        return None
    found = inside_scores(block, known)
    # a report that is left out lacks one of its own kind
    bound = entities.isdisjoint(load_lexicon().findings)
    threshold = close_match_from(found, bound=bound) if len(found) else None
    return block.model_copy(update={"threshold": threshold})


def report_close_match(judge: ReportJudge, texts: Sequence[str]) -> CloseMatch | None:
    """The threshold that reports of what the archive holds set; ``None``: it is not judged.

    Fewer than :data:`FEWEST_REPORTS` are joined to the reports that set it when it was built.
    """
    if judge.texts is None:
        return None
    read = [read_and_choose(text)[1] for text in texts]
    found = judge.texts.scores(read, judge.sentences.embed(read))
    if len(found) < FEWEST_REPORTS:
        found = np.concatenate([found, inside_scores(judge.texts.block, known_sentences())])
    return close_match_from(found)


def inside_scores(block: TextCloseness, known: KnownSentences) -> NDArray[np.float64]:
    """Scores of reports of what the archive holds that are compared with no report of their own.

    Composed reports, where the program composes them; else the known reports themselves, each left
    out in turn.
    """
    inside, outside = sides(block, known)
    composed = report_set(known, known.composed & np.isin(known.entities, block.entities))
    found = [scores(composed, inside, outside)] if len(composed.vectors) else []
    few = ~np.isin(inside.entities, np.unique(composed.entities))
    if few.any():
        others, own = inside.rows(~few), inside.rows(few)
        found.append(_left_out(own, own.with_rows(others), outside))
    return np.concatenate(found) if found else np.empty(0)


def _left_out(own: ReportSet, inside: ReportSet, outside: ReportSet) -> NDArray[np.float64]:
    """Scores of the first rows of ``inside``, none compared with itself."""
    if len(inside.vectors) == 1:
        return np.empty(0)
    return scores(own, inside, outside, own_rows=True)


def _entities(holdings: Holdings, known: KnownSentences) -> tuple[set[str], set[str]]:
    """The known entities that these labels are, and the labels that are one."""
    findings = load_lexicon().findings
    named = {(report.entity, report.site) for report in known.reports if report.site}
    codes = {entity: _codes(entity, [site]) for entity, site in sorted(named)}
    held: set[str] = set()
    worded: set[str] = set()
    folded = {entity.casefold(): entity for entity in codes}
    for label in holdings.labels:
        names = {folded[label.casefold()]} if label.casefold() in folded else set()
        if label in holdings.undetailed:
            names |= {name for name, words in findings.items() if words.diagnosis == label}
        if not names:
            read = _codes(label, holdings.sites)
            names |= {entity for entity, of in codes.items() if read & of}
        held |= names
        worded |= {label} if names else set()
    # "HSIL" stands for its diagnosis, whichever of its findings the pictures have
    held |= {
        name
        for name, words in findings.items()
        if words.diagnosis in holdings.diagnoses and _is_general(words)
    }
    return held, worded


def _is_general(words: FindingWords) -> bool:
    return words.diagnosis.casefold() in {name.casefold() for name in words.names}


def _codes(name: str, sites: Iterable[str]) -> frozenset[DiagnosisCode]:
    found: set[DiagnosisCode] = set()
    for site in sites:
        try:
            found |= set(read_closely(f"({site}) {name}").report.codes)
        except CoinError:  # a label need not be made of words
            continue
    return frozenset(found)


def _own_reports(holdings: Holdings, sentences: SentenceEncoder) -> tuple[OwnReports, ...]:
    most = max(1, min(_OF_LABEL, _OWN_REPORTS // max(1, len(holdings.reports))))
    random = np.random.default_rng(0)
    found = []
    for label, texts in holdings.reports.items():
        chosen = [texts[i] for i in sorted(random.permutation(len(texts))[:most])]
        found.append(packed(label, sentences.embed(chosen)))
    return tuple(found)
