"""Plain text → :class:`Report`: the one entry for what a clinician wrote."""

from __future__ import annotations

from coin_retrieval.reports.normalise import MAX_CHARACTERS
from coin_retrieval.reports.reading import read_closely
from coin_retrieval.types import Report

__all__ = ["MAX_CHARACTERS", "read_report"]


def read_report(text: str | bytes) -> Report:
    """Read a report; its ``text`` is the whole of it with single spaces between words.

    Site, procedure, findings, conclusion and codes are what :func:`read_closely` finds, and empty
    where the text does not tell.

    Raises:
        ReportError: empty, longer than 20,000 characters, not UTF-8, or not made of words.
    """
    return read_closely(text).report
