"""A manifest of cases: one row an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from coin_retrieval.archive.manifest import SourceEntry, seal
from coin_retrieval.archive.uris import absolute
from coin_retrieval.case_table import CaseRow, read_case_table
from coin_retrieval.errors import CaseTableError
from coin_retrieval.table_files import form_of
from coin_retrieval.types import Origin

_ORIGINS = frozenset(origin.value for origin in Origin)


class TableSource:
    """A manifest of cases; image paths are relative to it, or absolute.

    Args:
        columns: what a column is called there, by our name for it.
    """

    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        self._path = path
        self._columns = columns

    def rows(self) -> Iterator[CaseRow]:
        """Its rows, in file order.

        Raises:
            CaseTableError: see :func:`read_case_table`; also an ``origin`` that does not exist, or
                a ``case_id`` with control characters.
        """
        for row in read_case_table(self._path, self._columns):
            if row.origin not in _ORIGINS:
                raise CaseTableError(
                    f"{self._path}: {row.image_path.name} has an unknown origin",
                    value=row.origin,
                    expected=f"one of {', '.join(sorted(_ORIGINS))}, or empty for real",
                    remedy="correct the origin column: drawn pictures are never mixed in unflagged",
                )
            if not row.case_id.isprintable():
                raise CaseTableError(
                    f"{self._path}: a case_id holds control characters",
                    value=row.case_id,
                    expected="printable text",
                    remedy="correct the case_id column",
                )
            yield row

    def notes(self) -> tuple[str, ...]:
        """See :class:`indexer.sources.Source`."""
        return tuple(f"{self._path} is {note}" for note in form_of(self._path).notes)

    def entry(self, rows: int) -> SourceEntry:
        """See :class:`indexer.sources.Source`."""
        return SourceEntry(
            path=str(absolute(self._path)),
            kind="table",
            rows=rows,
            sha256=seal(self._path).sha256,
        )
