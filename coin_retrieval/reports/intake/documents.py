"""Attached documents → their text: plain, HTML and PDF. Nothing that they link to is fetched."""

from __future__ import annotations

import io
import re
from html.parser import HTMLParser

from coin_retrieval.errors import ReportError
from coin_retrieval.reports.normalise import MAX_CHARACTERS

PLAIN, HTML, PDF = "text/plain", "text/html", "application/pdf"
READ = (PLAIN, HTML, PDF)
_XHTML = "application/xhtml+xml"
_MAX_PAGES = 20
_BLOCKS = frozenset({
    "p", "div", "br", "tr", "li", "ul", "ol", "table", "thead", "tbody", "section", "article",
    "h1", "h2", "h3", "h4", "h5", "h6", "dt", "dd", "dl", "pre", "hr",
})  # fmt: skip
_CELLS = frozenset({"td", "th"})
_UNSEEN = frozenset({"script", "style", "head", "title", "template", "noscript"})


def text_of(data: bytes, kind: str) -> str | None:
    """The text of a document; ``None`` where its kind is not read.

    Args:
        kind: its content type, with a charset if it says one.

    Raises:
        ReportError: it cannot be decoded, is encrypted, or is too long.
    """
    media_type, _, parameters = kind.partition(";")
    media_type = media_type.strip().lower()
    charset = parameters.partition("charset=")[2].strip(" \"'").lower() or "utf-8"
    if media_type == PLAIN:
        return _decoded(data, charset)
    if media_type in (HTML, _XHTML):
        return text_of_markup(_decoded(data, charset))
    return _text_of_pdf(data) if media_type == PDF else None


def text_of_markup(markup: str) -> str:
    """What a reader of an HTML or XHTML document sees, a line for each block."""
    reader = _Reader()
    reader.feed(markup)
    reader.close()
    lines = (" ".join(line.split()) for line in "".join(reader.parts).splitlines())
    return "\n".join(line for line in lines if line)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._unseen = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self._unseen += tag in _UNSEEN
        self._part(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # <title/> has no end tag of its own
        del attrs
        self._part(tag)

    def handle_endtag(self, tag: str) -> None:
        self._unseen = max(0, self._unseen - (tag in _UNSEEN))
        self._part(tag)

    def handle_data(self, data: str) -> None:
        if not self._unseen:
            self.parts.append(re.sub(r"\s", " ", data))

    def _part(self, tag: str) -> None:
        if tag in _BLOCKS:
            self.parts.append("\n")
        elif tag in _CELLS:
            self.parts.append(" ")


def _decoded(data: bytes, charset: str) -> str:
    try:
        return data.decode(charset)
    except (UnicodeDecodeError, LookupError) as error:
        raise ReportError(
            "the report's attachment cannot be decoded",
            value=f"{type(error).__name__}, charset {charset[:40]}",
            expected="a text in UTF-8 unless contentType says otherwise",
            remedy="correct presentedForm.data or its contentType",
        ) from None


def _text_of_pdf(data: bytes) -> str:
    from pypdf import PdfReader
    from pypdf.errors import PyPdfError

    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted:
            raise _unread_pdf("it is encrypted")
        if len(reader.pages) > _MAX_PAGES:
            raise _unread_pdf(f"it has {len(reader.pages)} pages, more than {_MAX_PAGES}")
        text = ""
        for page in reader.pages:
            text += page.extract_text() + "\n"
            if len(text) > MAX_CHARACTERS:
                raise _unread_pdf(f"more than {MAX_CHARACTERS:,} characters")
    except ReportError:
        raise
    # a damaged PDF fails in as many ways as there are objects in it
    except (
        PyPdfError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        raise _unread_pdf(type(error).__name__) from None
    if not text.strip():
        raise _unread_pdf("it has pictures of text only")
    return text


def _unread_pdf(why: str) -> ReportError:
    return ReportError(
        "the report's PDF cannot be read",
        value=why,
        expected="a PDF of one report, with its text in it",
        remedy="send the report's text as text/plain",
    )
