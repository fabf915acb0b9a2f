"""Refuse what is no report, tidy the rest: single spaces, one Unicode form, nothing lost."""

from __future__ import annotations

import re
import unicodedata

from coin_retrieval.errors import ReportError

MAX_CHARACTERS = 20_000

# a heading's line says what spaces cannot: that the line before it has ended, and that it is one
_HEADED_LINE = re.compile(r"(?<=[\w)\]%+])[ \t\r]*\n\s*(?=[A-Z][\w ()/,&'-]{1,40}:\s)")
_HEADING = re.compile(r"^[ \t]*([A-Z][A-Z /&-]{6,40})[ \t\r]*\n(?=\s*\S)", re.M)
# so do the marks of a list's items, and the line above them
_MARK = r"[ \t]*(?:[*•·▪◦‣–-]|[=-]>|=)[ \t]+(?=\S)"
_ITEM = re.compile(r"(?P<last>[\w)\]%+])?[ \t\r]*(?:^|\n)" + _MARK)
_ABOVE_ITEMS = re.compile(r"^[ \t]*([A-Z][A-Za-z /&-]{2,40})[ \t\r]*\n(?=" + _MARK + ")", re.M)
_LEAST_LETTERS = 0.5
_REMEDY = "paste the report's text: findings and conclusion, in words"


def tidy(text: str | bytes) -> str:
    """A report's text with single spaces between words, NFC.

    A line before one that begins with a label or is an item of a list ends with a full stop, a line
    of capitals with a colon.

    Raises:
        ReportError: empty, longer than 20,000 characters, not UTF-8, or not made of words.
    """
    if isinstance(text, bytes):
        text = _decode(text)
    if len(text) > MAX_CHARACTERS:
        raise ReportError(
            "the report is too long",
            value=f"{len(text):,} characters",
            expected=f"at most {MAX_CHARACTERS:,} characters",
            remedy="give the report of one case",
        )
    # NUL and its like never stand in prose, and lone surrogates cannot be written as UTF-8
    controls = {c for c in text if unicodedata.category(c) in ("Cc", "Cs")}
    strange = sorted(c for c in controls if not c.isspace())
    if strange:
        raise ReportError(
            "the report is not plain text",
            value=", ".join(f"U+{ord(c):04X}" for c in strange[:5]),
            expected="no control characters",
            remedy=_REMEDY,
        )
    headed = _ABOVE_ITEMS.sub(r"\1:\n", text)
    items = _ITEM.sub(lambda mark: f"{mark['last']}.\n" if mark["last"] else "\n", headed)
    lines = _HEADING.sub(r"\1:\n", _HEADED_LINE.sub(".\n", items))
    tidied = " ".join(unicodedata.normalize("NFC", lines).lstrip("\ufeff").split())
    if not tidied:
        raise ReportError("the report is empty", expected="a sentence or more", remedy=_REMEDY)
    solid = tidied.replace(" ", "")
    letters = sum(unicodedata.category(c)[0] in "LM" for c in solid)
    if letters < _LEAST_LETTERS * len(solid):
        raise ReportError(
            "the report does not consist of words",
            value=tidied[:60],
            expected=f"at least {_LEAST_LETTERS:.0%} letters, not {letters} of {len(solid)}",
            remedy=_REMEDY,
        )
    return tidied


def _decode(data: bytes) -> str:
    # four bytes are the longest UTF-8 character: more than that cannot fit, so is not decoded
    if len(data) > 4 * MAX_CHARACTERS:
        raise ReportError(
            "the report is too long",
            value=f"{len(data):,} bytes",
            expected=f"at most {MAX_CHARACTERS:,} characters",
            remedy="give the report of one case",
        )
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ReportError(
            "the report is not UTF-8 text",
            value=f"byte 0x{data[error.start]:02x} at {error.start}",
            expected="plain text in UTF-8, not a document such as PDF or DOCX",
            remedy="save the report as a plain text file",
        ) from error
