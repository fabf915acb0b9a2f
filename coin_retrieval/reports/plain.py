"""Plain text → :class:`Report`: the one entry for what a clinician wrote."""

from __future__ import annotations

from collections.abc import Sequence

from coin_retrieval.errors import ReportError
from coin_retrieval.reports.normalise import MAX_CHARACTERS
from coin_retrieval.reports.reading import Reading, read_closely
from coin_retrieval.reports.searched.affirmed import Affirmed, as_written
from coin_retrieval.reports.words import Span
from coin_retrieval.types import Report

__all__ = [
    "MAX_CHARACTERS",
    "affirms",
    "judged_words",
    "read_and_choose",
    "read_for_search",
    "read_report",
]

_LONGEST_KNOWN = 36
"""Words of the longest of the 7,285 reports that archives are judged by."""


def read_report(text: str | bytes) -> Report:
    """Read a report; its ``text`` is the whole of it with single spaces between words.

    Site, procedure, findings, conclusion and codes are what :func:`read_closely` finds, and empty
    where the text does not tell.

    Raises:
        ReportError: empty, longer than 20,000 characters, not UTF-8, or not made of words.
    """
    return read_closely(text).report


def read_for_search(text: str | bytes, *, whole: bool = False) -> tuple[Reading, Affirmed]:
    """Read a report, and tell which of its words are searched; ``whole``: all of them.

    Raises:
        ReportError: as :func:`read_report` does, or it affirms nothing.
    """
    reading = read_closely(text)
    if whole:
        return reading, as_written(reading.report.text)
    if not reading.searched.text:
        raise ReportError(
            "the report affirms nothing that could be searched",
            value=", ".join(
                dict.fromkeys(
                    left.because.label + (f" ({left.cue.text})" if left.cue else "")
                    for left in reading.searched.left_out
                )
            ),
            expected="something that is there: a finding, or what a cell looks like",
            remedy="write what is seen, or search all its words as they stand (--as-written)",
        )
    return reading, reading.searched


def read_and_choose(text: str) -> tuple[Reading, str]:
    """What is read in a report, and the words that tell whether an archive holds it.

    Raises:
        ReportError: as :func:`read_report` does.
    """
    reading, words = read_for_search(text, whole=not affirms(text))
    kept = [piece.span for piece in words.pieces]
    return reading, judged_words(reading.report, words.text, kept)


def judged_words(report: Report, searched: str, kept: Sequence[Span]) -> str:
    """What of a report is held against the known reports of what an archive has.

    A report longer than any of these is like none of them, whatever it says, and goes by what it
    concludes; all that is searched where it concludes nothing.

    Args:
        kept: the parts that are searched.
    """
    if len(searched.split()) <= _LONGEST_KNOWN or not report.conclusion:
        return searched
    start = report.text.rfind(report.conclusion)
    end = start + len(report.conclusion)
    concluded = [span.text for span in kept if start <= span.start < end]
    return ". ".join(concluded) or searched


def affirms(text: str) -> bool:
    """Whether a report says of something that it is there.

    Raises:
        ReportError: as :func:`read_report` does.
    """
    return bool(read_closely(text).searched.text)
