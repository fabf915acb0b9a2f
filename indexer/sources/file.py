"""One file that holds several pictures: a shard, a slide, a DICOM instance."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from coin_retrieval.archive.manifest import SourceEntry
from coin_retrieval.archive.uris import absolute
from coin_retrieval.tables.cases import CaseRow
from indexer.sources.expanding import Expander
from indexer.sources.readable import readable


class FileSource:
    """The pictures of one file; their cases are named after it."""

    def __init__(self, path: Path, *, expander: Expander) -> None:
        self._path = path
        self._expander = expander

    def rows(self) -> Iterator[CaseRow]:
        """See :class:`indexer.sources.Source`."""
        self._expander.begin()
        case_id = readable(self._path.name.partition(".")[0])
        row = CaseRow(image_path=self._path, case_id=case_id)
        yield from self._expander.rows(row, named_by_file=True)

    def notes(self) -> tuple[str, ...]:
        """See :class:`indexer.sources.Source`."""
        return tuple(self._expander.notes)

    def entry(self, rows: int) -> SourceEntry:
        """See :class:`indexer.sources.Source`."""
        return SourceEntry(path=readable(str(absolute(self._path))), kind="file", rows=rows)
