"""A folder of pictures: each file is a case of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from coin_retrieval import images
from coin_retrieval.archive.manifest import SourceEntry
from coin_retrieval.archive.uris import absolute
from coin_retrieval.case_table import CaseRow


class FolderSource:
    """Every picture below a folder, by name; hidden files are left out, links to folders too."""

    def __init__(self, path: Path, *, leave_out: Path) -> None:
        self._path = path
        self._leave_out = leave_out.resolve()

    def rows(self) -> Iterator[CaseRow]:
        """One row a picture; its case is its path below the folder without the suffix.

        Where two files differ only in their suffix, the suffix stays: two pictures of one name are
        not thereby one case.
        """
        paths = list(self._pictures())
        stems: dict[Path, int] = {}
        for path in paths:
            stem = path.with_suffix("")
            stems[stem] = stems.get(stem, 0) + 1
        for path in paths:
            stem = path.with_suffix("")
            named = stem if stems[stem] == 1 else path
            yield CaseRow(image_path=path, case_id=_readable(named.relative_to(self._path)))

    def entry(self, rows: int) -> SourceEntry:
        """See :class:`indexer.sources.Source`."""
        return SourceEntry(path=_readable(absolute(self._path)), kind="folder", rows=rows)

    def _pictures(self) -> Iterator[Path]:
        for folder, below, names in os.walk(self._path):
            here = Path(folder)
            below[:] = sorted(
                name
                for name in below
                if not name.startswith(".") and (here / name).resolve() != self._leave_out
            )
            for name in sorted(names):
                path = here / name
                if not name.startswith(".") and path.suffix.lower() in images.SUFFIXES:
                    yield path


def _readable(path: Path) -> str:
    """A file name can hold any bytes; what is no UTF-8 is written as ``\\xff``."""
    return os.fsencode(path.as_posix()).decode("utf-8", "backslashreplace")
