"""Can this archive hold anything close to what was asked for? A verdict, and why."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from coin_retrieval.archive.manifest import ArchiveManifest
from coin_retrieval.archive.measured.calibration import CloseMatch
from coin_retrieval.archive.measured.closeness import TextCloseness
from coin_retrieval.encoding.sentences import SentenceEncoder
from coin_retrieval.errors import MissingDependencyError, ModelError
from coin_retrieval.reports.plain import judged_words
from coin_retrieval.search.judging.text_closeness import TextJudge
from coin_retrieval.search.plan import WordsPlan
from coin_retrieval.search.site import SitePlan
from coin_retrieval.types import Embeddings
from coin_retrieval.wordings.known import known_sentences


class Verdict(StrEnum):
    """Whether the archive holds a close match."""

    YES = "yes"
    NO = "no"
    NOT_JUDGED = "not judged"


class Because(StrEnum):
    """What a verdict rests on."""

    SITE_LACKING = "site lacking"
    """The archive has no picture of the site that the report names."""
    WORDS_UNKNOWN = "words unknown"
    """The report is in another language, or in words that no model has met."""
    LABEL_LACKING = "label lacking"
    """The report reads most like something that the archive does not hold."""
    BELOW_THRESHOLD = "below threshold"
    ABOVE_THRESHOLD = "above threshold"
    UNDESCRIBED = "undescribed"
    """The archive has labels that no known report describes: it may be one of them."""
    UNLABELLED = "unlabelled"
    """The archive's pictures have no labels: of its sites nothing can be told."""
    NOT_MEASURED = "not measured"
    """No threshold serves such a query."""


@dataclass(frozen=True, slots=True)
class Reason:
    """``named`` is the site or the entity that it is about, empty where it is about none."""

    because: Because
    named: str = ""


@dataclass(frozen=True, slots=True)
class Closeness:
    """The verdict; its reasons, the weightiest first; and the score that it rests on.

    ``limit`` tells below which score the verdict is no, and how many queries that do have a match
    are told so too. Both are ``None`` where the score plays no part.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    score: float | None = None
    limit: CloseMatch | None = None

    @property
    def close(self) -> bool | None:
        """The verdict as a truth value; ``None``: not judged."""
        return None if self.verdict is Verdict.NOT_JUDGED else self.verdict is Verdict.YES


NOT_MEASURED = Closeness(Verdict.NOT_JUDGED, (Reason(Because.NOT_MEASURED),))


def judged(score: float, close_match: CloseMatch | None) -> Closeness:
    """A verdict on a score alone."""
    if close_match is None:
        return replace(NOT_MEASURED, score=score)
    close = score >= close_match.threshold
    return Closeness(
        Verdict.YES if close else Verdict.NO,
        (Reason(Because.ABOVE_THRESHOLD if close else Because.BELOW_THRESHOLD),),
        score,
        close_match,
    )


def report_threshold(manifest: ArchiveManifest) -> CloseMatch | None:
    """From which score on reports are close: set by labelled ones, else by the archive's own words.

    It holds whichever generator draws, for nothing that is drawn plays a part. What other known
    reports were compared with sets none.
    """
    if manifest.closeness is None:
        return None
    calibration = manifest.calibration
    if calibration and calibration.close_match and calibration.known == manifest.closeness.known:
        return calibration.close_match
    return manifest.closeness.threshold


class ReportJudge:
    """Judges reports for one archive, by its own labels and the reports that the program knows.

    Nothing loads before the first report. Safe for several threads.

    Args:
        block: what the archive holds; ``None``: it was not measured.
        threshold: from which score on a report is close.
        unheard: entities whose reports are taken for unknown, to measure what a new one is told.
    """

    def __init__(
        self,
        block: TextCloseness | None,
        threshold: CloseMatch | None,
        sentences: SentenceEncoder,
        *,
        unheard: Collection[str] = (),
    ) -> None:
        self._block = block
        self._unheard = unheard
        self._threshold = threshold
        self.sentences = sentences

    @cached_property
    def texts(self) -> TextJudge | None:
        """What scores texts; ``None`` where the archive was not measured with these reports."""
        if self._block is None or self._threshold is None:
            return None
        try:
            known = known_sentences()
        except ModelError:  # without them everything else still answers
            return None
        if known.digest != self._block.known:
            return None
        return TextJudge(self._block, known, unheard=self._unheard)

    def judge(self, words: WordsPlan, site: SitePlan | None = None) -> Closeness:
        """Whether the archive can hold a close match of a report.

        Args:
            site: what the archive has of the report's site.
        """
        sentence = None
        text = judged_words(words.report, words.searched, words.kept)
        if self.texts is not None:
            with suppress(ModelError, MissingDependencyError):
                sentence = self.sentences.embed([text])
        return self.verdict(site, text, sentence)

    def verdict(self, site: SitePlan | None, text: str, sentence: Embeddings | None) -> Closeness:
        """The same of a text that is embedded already [1 384]; ``None``: by the site alone."""
        found = self._by_text(text, sentence)
        if site is None or not site.lacking or self._may_be_unspecified(site, found, sentence):
            return found
        further = found.reasons if found.verdict is Verdict.NO else ()
        reason = Reason(Because.SITE_LACKING, site.name)
        return replace(found, verdict=Verdict.NO, reasons=(reason, *further))

    def _may_be_unspecified(
        self, site: SitePlan, found: Closeness, sentence: Embeddings | None
    ) -> bool:
        """Whether what the report names is seen at many sites, and pictures of no told site exist.

        A neuroendocrine tumour, say, of which the archive has touch smears.
        """
        if not site.unspecified_images or found.verdict is not Verdict.YES:
            return False
        judge = self.texts
        if judge is None or sentence is None:
            return False
        return judge.site_of(judge.likest_inside(sentence)) in site.unspecified

    def _by_text(self, text: str, sentence: Embeddings | None) -> Closeness:
        judge, block = self.texts, self._block
        if judge is None or block is None or sentence is None:
            return NOT_MEASURED
        found = judged(float(judge.scores([text], sentence)[0]), self._threshold)
        if found.verdict is Verdict.YES:
            return found if block.labelled else _open(found, Because.UNLABELLED)
        likest = judge.likest_outside(sentence)
        seen = judge.site_of(likest) if likest else ""
        if block.unworded and (not seen or seen in block.sites):
            return _open(found, Because.UNDESCRIBED)
        named = (Reason(Because.LABEL_LACKING, likest),) if likest else ()
        return replace(found, reasons=(*named, *found.reasons))


def _open(found: Closeness, because: Because) -> Closeness:
    """The same score, from which nothing follows."""
    return replace(found, verdict=Verdict.NOT_JUDGED, reasons=(Reason(because),))
