"""Files that hold several pictures, as one row a picture; a file that is one stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from coin_retrieval.errors import ImageError, MissingDependencyError
from coin_retrieval.images import decoding as images
from coin_retrieval.images.containers.tar import SUFFIXES as TAR_SUFFIXES
from coin_retrieval.images.containers.urls import UrlPath
from coin_retrieval.images.dicom.header import is_dicom
from coin_retrieval.images.slides.opening import SUFFIXES as SLIDE_SUFFIXES
from coin_retrieval.images.slides.opening import is_slide
from coin_retrieval.tables.cases import CaseRow
from indexer.sources.dicom import DicomRows
from indexer.sources.slide import SlideRows
from indexer.sources.table_rows import table_rows
from indexer.sources.webdataset import webdataset_rows
from indexer.tiling.settings import Tiling

_DICOM_SUFFIXES = frozenset({"", ".dcm", ".dicom"})
_NOT_FROM_URLS = frozenset({".dcm", ".dicom", ".arrow", *SLIDE_SUFFIXES})
_COPY_IT = "a file that holds several pictures is not read from a bucket: copy it to a folder"


class Expander:
    """Turns rows that name files into rows that name pictures.

    ``notes`` are what was odd, since :meth:`begin`.

    Args:
        columns: what tables that hold pictures call a column, by our name for it.
        keyed: whether identities are hashed under a key.
    """

    def __init__(self, tiling: Tiling, columns: Mapping[str, str], *, keyed: bool) -> None:
        self.notes: list[str] = []
        self._columns = columns
        self._slides = SlideRows(tiling)
        self._dicom = DicomRows(self._slides, keyed=keyed)

    def begin(self) -> None:
        """Another pass over the same files."""
        self.notes.clear()

    def reads(self, path: Path) -> bool:
        """Whether this is a file of pictures, or of one."""
        return path.suffix.lower() in images.SUFFIXES or self.holds(path)

    def holds(self, path: Path) -> bool:
        """Whether this file may hold several pictures; behind a URL, as its name says."""
        if isinstance(path, UrlPath):
            return _is_tar(path) or path.suffix.lower() in _NOT_FROM_URLS
        return _is_tar(path) or _may_be_dicom(path) or is_slide(path) or holds_pictures(path)

    def rows(self, row: CaseRow, *, named_by_file: bool = False) -> Iterator[CaseRow]:
        """A row a picture of the row's file. What cannot be opened stays one row, to be told.

        Args:
            named_by_file: whether ``case_id`` is only the file's name.
        """
        path = row.image_path
        try:
            if row.part:
                yield row
            elif isinstance(path, UrlPath):
                yield replace(row, left_out=_COPY_IT) if self.holds(path) else row
            elif _is_tar(path):
                yield from webdataset_rows(row, self.notes)
            elif _may_be_dicom(path):
                yield from self._dicom.rows(row, self.notes, named_by_file=named_by_file)
            elif is_slide(path):
                yield from self._slides.rows(row, self.notes)
            elif holds_pictures(path):
                yield from table_rows(row, self._columns)
            else:
                yield row
        except (ImageError, MissingDependencyError) as error:
            self.notes.append(f"{path}: {error}")
            yield row


def _is_tar(path: Path) -> bool:
    return path.name.lower().endswith(TAR_SUFFIXES)


def holds_pictures(path: Path) -> bool:
    """Whether a table holds pictures itself, and not only names of files."""
    suffix = path.suffix.lower()
    if suffix == ".arrow":
        # what `datasets` computed from others
        return not path.name.startswith("cache-")
    if suffix != ".parquet":
        return False
    import pyarrow as pa
    import pyarrow.parquet as pq

    from coin_retrieval.images.containers.table import picture_columns

    try:
        return bool(picture_columns(pq.read_schema(path)))
    except (OSError, pa.ArrowException):
        return False


def _may_be_dicom(path: Path) -> bool:
    return path.suffix.lower() in _DICOM_SUFFIXES and is_dicom(path)
