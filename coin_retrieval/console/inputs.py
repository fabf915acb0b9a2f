"""What a user gives on the command line → what the library takes."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from coin_retrieval.errors import FilterError, InputError, ReportError
from coin_retrieval.reports.normalise import MAX_CHARACTERS, tidy

# a byte more than any report may have: tidy says so without reading all of a huge file
_MOST_BYTES = 4 * MAX_CHARACTERS + 1
_STDIN = Path("-")


def report_text(text: str | None, file: Path | None) -> str:
    """The report of ``--report`` or ``--report-file`` ("-": standard input), tidied.

    Raises:
        InputError: both or neither are given.
        ReportError: the report cannot be read or used.
    """
    if (text is None) == (file is None):
        raise InputError(
            "give the report once",
            value="--report and --report-file" if text is not None else "neither",
            expected="either --report TEXT or --report-file FILE",
        )
    return tidy(text if text is not None else read_at_most(file or _STDIN, _MOST_BYTES))


def parse_where(pairs: Sequence[str]) -> dict[str, list[str]]:
    """``["site=cervix", "site=urine"]`` → ``{"site": ["cervix", "urine"]}``.

    Raises:
        FilterError: a pair that is not FIELD=VALUE.
    """
    where: dict[str, list[str]] = {}
    for pair in pairs:
        field, equals, value = (part.strip() for part in pair.partition("="))
        if not (field and equals and value):
            raise FilterError(
                "a filter is not FIELD=VALUE",
                value=pair,
                expected="for example --where site=cervix",
                remedy="repeat --where for further fields, or for other values of a field",
            )
        where.setdefault(field, []).append(value)
    return where


def read_at_most(file: Path, most: int) -> bytes:
    """The first ``most`` bytes of a file; ``-`` is standard input.

    Raises:
        ReportError: it cannot be read.
    """
    try:
        if file == _STDIN:
            return sys.stdin.buffer.read(most)
        with file.open("rb") as stream:
            return stream.read(most)
    except OSError as error:
        raise ReportError(
            f"the report file cannot be read ({error.strerror})",
            value=str(file),
            expected="an existing, readable text file",
        ) from error
