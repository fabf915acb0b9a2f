"""What an archive can be built from: a folder of pictures, or a manifest of cases."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from coin_retrieval.archive.manifest import SourceEntry
from coin_retrieval.case_table import CaseRow
from coin_retrieval.errors import InputError
from coin_retrieval.table_files import SUFFIXES
from indexer.sources.folder import FolderSource
from indexer.sources.table import TableSource


class Source(Protocol):
    """Rows, one an image, and how the archive's manifest names where they came from."""

    def rows(self) -> Iterator[CaseRow]:
        """All rows, in a stable order.

        Raises:
            CaseTableError: rows that cannot be used as they are.
        """
        ...

    def notes(self) -> tuple[str, ...]:
        """What whoever builds should know of how it was read, after :meth:`rows`."""
        ...

    def entry(self, rows: int) -> SourceEntry:
        """What the manifest says of this source, of which ``rows`` rows were taken."""
        ...


def open_source(path: Path, *, archive: Path, columns: Mapping[str, str]) -> Source:
    """A folder, or a manifest; ``archive``'s own files are never read.

    Args:
        columns: what manifests call a column, by our name for it.

    Raises:
        InputError: neither.
    """
    if path.is_dir():
        return FolderSource(path, leave_out=archive)
    if path.suffix.lower() in SUFFIXES and path.is_file():
        return TableSource(path, columns)
    raise InputError(
        "not a source of pictures" if path.exists() else "no such source",
        value=str(path),
        expected=f"a folder of pictures, or a manifest ({', '.join(sorted(SUFFIXES))})",
        remedy="check the path; single pictures go into a folder",
    )


__all__ = ["FolderSource", "Source", "TableSource", "open_source"]
