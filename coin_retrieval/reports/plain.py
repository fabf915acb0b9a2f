"""Plain text → :class:`Report`: refuse what is no report, tidy the rest, find its parts.

The style is that of cytology reports: "(procedure or site) findings. Conclusion". What cannot be
told from the text stays empty.
"""

from __future__ import annotations

import re
import unicodedata

from coin_retrieval.errors import ReportError
from coin_retrieval.types import Report

MAX_CHARACTERS = 20_000
_LEAST_LETTERS = 0.5
_REMEDY = "paste the report's text: findings and conclusion, in words"
_PREFIX = re.compile(r"\(([^()]{1,80})\)\s*")
_LABEL = re.compile(
    r"\b(?:conclusion|impression|interpretation|(?:cyto(?:logic(?:al)?)? )?diagnosis)\s*:\s*", re.I
)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z(])|;\s+")


def read_report(text: str | bytes) -> Report:
    """Read a report; its ``text`` is the whole of it with single spaces between words.

    The site is what a leading "(procedure or site)" says. The conclusion is what follows
    "Conclusion:" or a like word, else the last sentence (a semicolon ends one too), if another
    stands before it.

    Raises:
        ReportError: empty, longer than 20,000 characters, not UTF-8, or not made of words.
    """
    tidy = _tidy(text)
    prefix = _PREFIX.match(tidy)
    site = prefix.group(1).strip() if prefix else ""
    findings, conclusion = _split(tidy[prefix.end() :] if prefix else tidy)
    return Report(text=tidy, findings=findings, conclusion=conclusion, site=site)


def _tidy(text: str | bytes) -> str:
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
    tidy = " ".join(unicodedata.normalize("NFC", text).lstrip("\ufeff").split())
    if not tidy:
        raise ReportError("the report is empty", expected="a sentence or more", remedy=_REMEDY)
    solid = tidy.replace(" ", "")
    letters = sum(unicodedata.category(c)[0] in "LM" for c in solid)
    if letters < _LEAST_LETTERS * len(solid):
        raise ReportError(
            "the report does not consist of words",
            value=tidy[:60],
            expected=f"at least {_LEAST_LETTERS:.0%} letters, not {letters} of {len(solid)}",
            remedy=_REMEDY,
        )
    return tidy


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


def _split(body: str) -> tuple[str, str]:
    labels = list(_LABEL.finditer(body))
    if labels:
        last = labels[-1]
        return body[: last.start()].strip(), body[last.end() :].strip()
    ends = list(_SENTENCE_END.finditer(body))
    if not ends:
        return body, ""
    return body[: ends[-1].start()].strip(), body[ends[-1].end() :].strip()
