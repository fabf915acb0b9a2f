"""Which queries make sense: told before anything is drawn."""

from __future__ import annotations

from coin_retrieval.errors import InputError
from coin_retrieval.search.query import Query
from coin_retrieval.types import SearchMode

MAX_CASES = 1000
MAX_MARKS = 100


def check_query(query: Query) -> None:
    """Refuse what no search can answer.

    Raises:
        InputError: numbers out of range, nothing to search with, a case marked both ways, or mode
            image with a report.
    """
    if not 1 <= query.k <= MAX_CASES:
        raise InputError("k out of range", value=query.k, expected=f"1 to {MAX_CASES} cases")
    # written so that NaN is refused
    if not 0 <= query.diversity <= 1:
        raise InputError("diversity out of range", value=query.diversity, expected="0 to 1")
    _check_marks(query)
    if query.mode is SearchMode.IMAGE and query.report:
        raise InputError(
            "mode image looks at a picture alone",
            value="mode image with a report",
            expected="a picture without a report, or the mode of the report",
            remedy="leave the mode out: picture and report are then searched together",
        )
    if query.mode is SearchMode.IMAGE and query.image is None and not query.liked:
        raise InputError(
            "a search takes a report or an image",
            value="mode image without an image",
            expected="an image, or another mode",
        )
    if query.mode not in (None, SearchMode.IMAGE) and query.image is not None and not query.report:
        raise InputError(
            "a search takes a report or an image",
            value=f"mode {query.mode} with an image and no report",
            expected="a report as well, or the image alone (mode image)",
        )


def is_picture_alone(query: Query) -> bool:
    """Whether no word is looked for: a picture, or only cases that the reader liked."""
    return not query.report and (query.image is not None or bool(query.liked))


def _check_marks(query: Query) -> None:
    both = sorted(set(query.liked) & set(query.disliked))
    if both:
        raise InputError(
            "a case is marked both ways",
            value=both[0],
            expected="a case that is wanted or one that is not",
            remedy="take back one of the two marks",
        )
    marks = len(query.liked) + len(query.disliked)
    if marks > MAX_MARKS:
        raise InputError("too many marked cases", value=marks, expected=f"at most {MAX_MARKS}")
