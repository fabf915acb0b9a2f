"""What an archive can be built from: a folder, a file that holds pictures, or a manifest."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from coin_retrieval.archive.manifest import SourceEntry
from coin_retrieval.errors import InputError
from coin_retrieval.images.containers.urls import UrlPath, located
from coin_retrieval.tables.cases import CaseRow
from coin_retrieval.tables.files import SUFFIXES
from indexer.sources.clip_retrieval import ClipRetrievalSource
from indexer.sources.expanding import Expander
from indexer.sources.file import FileSource
from indexer.sources.folder import FolderSource
from indexer.sources.table import TableSource
from indexer.tiling.settings import Tiling


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


def open_source(
    path: Path,
    *,
    archive: Path,
    columns: Mapping[str, str],
    tiling: Tiling | None = None,
    keyed: bool = False,
) -> Source:
    """A folder, a file that holds pictures, or a manifest; ``archive``'s own are never read.

    Folders and manifests may lie in a bucket: ``s3://bucket/prefix``.

    Args:
        columns: what manifests call a column, by our name for it.
        tiling: how slides are cut.
        keyed: whether identities are hashed under a key; those of DICOM are kept only then.

    Raises:
        InputError: none of them.
    """
    path = located(path)
    if isinstance(path, UrlPath):
        _require_reached(path)
    expander = Expander(tiling or Tiling(), columns, keyed=keyed)
    if not isinstance(path, UrlPath) and ClipRetrievalSource.is_one(path):
        return ClipRetrievalSource(path, columns)
    if path.is_dir():
        return FolderSource(path, leave_out=archive, expander=expander)
    if not isinstance(path, UrlPath) and path.is_file() and expander.holds(path):
        return FileSource(path, expander=expander)
    if path.suffix.lower() in SUFFIXES and path.is_file():
        return TableSource(path, columns, expander=expander)
    raise InputError(
        "not a source of pictures" if path.exists() else "no such source",
        value=str(path),
        expected=f"a folder of pictures, a manifest ({', '.join(sorted(SUFFIXES))}), or a file "
        "that holds several pictures (.tar, .dcm, .arrow, .svs and other slides)",
        remedy="check the path; single pictures go into a folder",
    )


def _require_reached(path: UrlPath) -> None:
    """A bucket that is away must not be taken for one that lacks what is asked.

    Raises:
        InputError: it cannot be asked.
    """
    try:
        path.stat()
    except FileNotFoundError:
        return
    except OSError as error:
        raise InputError(
            f"the source cannot be reached ({error.strerror})",
            value=path.url,
            expected="a bucket that may be read",
            remedy="start its server, or mend the address, the network or the permissions",
        ) from error


__all__ = ["FileSource", "FolderSource", "Source", "TableSource", "open_source"]
