"""A manifest of cases: one row an image."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from coin_retrieval.archive.manifest import SourceEntry, seal
from coin_retrieval.archive.uris import absolute
from coin_retrieval.tables.cases import CaseRow, read_case_table
from coin_retrieval.tables.files import form_of
from indexer.sources.expanding import Expander
from indexer.sources.filling import checked


class TableSource:
    """A manifest of cases; image paths are relative to it, or absolute.

    Args:
        columns: what a column is called there, by our name for it.
    """

    def __init__(self, path: Path, columns: Mapping[str, str], *, expander: Expander) -> None:
        self._path = path
        self._expander = expander
        self._columns = columns

    def rows(self) -> Iterator[CaseRow]:
        """Its rows, in file order; of a file that holds several pictures one each.

        Raises:
            CaseTableError: see :func:`read_case_table` and :func:`indexer.sources.filling.checked`.
        """
        self._expander.begin()
        for row in read_case_table(self._path, self._columns):
            yield from self._expander.rows(checked(row))

    def notes(self) -> tuple[str, ...]:
        """See :class:`indexer.sources.Source`."""
        form = (f"{self._path} is {note}" for note in form_of(self._path).notes)
        return (*form, *self._expander.notes)

    def entry(self, rows: int) -> SourceEntry:
        """See :class:`indexer.sources.Source`."""
        return SourceEntry(
            path=str(absolute(self._path)),
            kind="table",
            rows=rows,
            sha256=seal(self._path).sha256,
        )
