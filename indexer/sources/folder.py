"""A folder of pictures: each file is a case of its own, or holds several."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

import numpy as np

from coin_retrieval.archive.manifest import SourceEntry
from coin_retrieval.archive.uris import absolute
from coin_retrieval.errors import InputError
from coin_retrieval.images.containers.urls import UrlPath, located
from coin_retrieval.tables.cases import CaseRow
from indexer.sources.expanding import Expander
from indexer.sources.readable import readable


class FolderSource:
    """Every picture below a folder, by name; hidden files are left out, links to folders too."""

    def __init__(self, path: Path, *, leave_out: Path, expander: Expander) -> None:
        self._path = path
        self._expander = expander
        self._leave_out = leave_out.resolve()
        self._others: Counter[str] = Counter()

    def rows(self) -> Iterator[CaseRow]:
        """One row a picture; its case is its path below the folder without the suffix.

        Files that hold several pictures name cases of theirs below that. Where two files differ
        only in their suffix, the suffix stays: two pictures of one name are not thereby one case.

        Raises:
            InputError: a folder that cannot be read.
        """
        self._others.clear()
        self._expander.begin()
        for folder, names in self._pictures():
            shared = _shared_stems(names)
            for name in names:
                path = folder / name
                named = path if path.stem in shared else path.with_suffix("")
                case_id = readable(named.relative_to(self._path).as_posix())
                row = CaseRow(image_path=path, case_id=case_id)
                yield from self._expander.rows(row, named_by_file=True)

    def notes(self) -> tuple[str, ...]:
        """See :class:`indexer.sources.Source`."""
        if not self._others:
            return tuple(self._expander.notes)
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in self._others.most_common(5))
        others = f"{self._path} has files that are no pictures this program reads: {kinds}"
        return (*self._expander.notes, others)

    def entry(self, rows: int) -> SourceEntry:
        """See :class:`indexer.sources.Source`."""
        return SourceEntry(path=readable(absolute(self._path).as_posix()), kind="folder", rows=rows)

    def _pictures(self) -> Iterator[tuple[Path, list[str]]]:
        """The pictures of each folder, by name: a path takes a kilobyte."""
        for folder, below, names in _walk(self._path):
            here = located(Path(folder))
            below[:] = sorted(
                name
                for name in below
                if not name.startswith(".") and (here / name).resolve() != self._leave_out
            )
            pictures = []
            for name in sorted(names):
                path = here / name
                if name.startswith("."):
                    continue
                if self._expander.reads(path):
                    pictures.append(name)
                else:
                    self._others[path.suffix.lower() or "without a suffix"] += 1
            yield here, pictures


def _shared_stems(names: Sequence[str]) -> set[str]:
    """What several names differ from only in their suffixes; eight bytes a name meanwhile."""
    hashed = np.fromiter((hash(PurePath(name).stem) for name in names), np.int64, len(names))
    values, counts = np.unique(hashed, return_counts=True)
    likely = set(values[counts > 1].tolist())
    stems = (PurePath(name).stem for name in names if likely)
    found = Counter(stem for stem in stems if hash(stem) in likely)
    return {stem for stem, count in found.items() if count > 1}


def _walk(path: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    if not isinstance(path, UrlPath):
        yield from os.walk(path, onerror=_refuse)
        return
    try:
        yield from path.walk_names()
    except OSError as error:
        _refuse(error)


def _refuse(error: OSError) -> None:
    """What cannot be looked into must not be taken for empty: its cases would be dropped."""
    raise InputError(
        f"a folder cannot be read ({error.strerror})",
        value=str(error.filename),
        expected="a folder that may be read",
        remedy="change its permissions, or see whether its disk is there",
    ) from error
