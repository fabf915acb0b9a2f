"""Segments of a build that is not published yet: if it dies, the next one need not embed again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ValidationError

from coin_retrieval import factory
from coin_retrieval.archive import ArchiveLayout
from coin_retrieval.archive.manifest import Segment, check_seal
from coin_retrieval.archive.publish import flush_folder
from coin_retrieval.config import CatalogSettings, StoreSettings
from coin_retrieval.errors import ArchiveCorruptError
from coin_retrieval.files import replace_file
from indexer.embedding.contents import Pool
from indexer.versions.journal import Journal


class _Sealed(BaseModel):
    """Beside a segment's folder: all that is needed to open it."""

    segment: Segment
    store: StoreSettings
    catalog: CatalogSettings
    dim: int


class SealedWork:
    """The segments beside a journal in the archive's ``work/``, numbered as they come."""

    def __init__(
        self,
        layout: ArchiveLayout,
        journal: Journal,
        *,
        store: StoreSettings,
        catalog: CatalogSettings,
    ) -> None:
        self._layout = layout
        self._folder = journal.folder / "segments"
        self._settings = {"store": store, "catalog": catalog, "dim": journal.dim}

    def left(self) -> list[Pool]:
        """Open what an earlier build left, and delete of it what is not whole."""
        pools = []
        for folder in self._folders():
            try:
                sealed = _Sealed.model_validate_json(_beside(folder).read_bytes())
                for name, file in sealed.segment.files.items():
                    check_seal(folder / name, file)
                pools.append(self._open(sealed))
            except (OSError, ValidationError, ArchiveCorruptError):
                shutil.rmtree(folder, ignore_errors=True)
        return pools

    def next_folder(self) -> Path:
        """Where the next segment can be written; nothing is there."""
        numbers = [int(folder.name) for folder in self._folders()]
        return self._folder / str(max(numbers, default=0) + 1)

    def keep(self, segment: Segment) -> Pool:
        """From now on a build that dies leaves this segment to the next one."""
        sealed = _Sealed.model_validate({"segment": segment, **self._settings})
        folder = self._layout.root / segment.folder
        flush_folder(folder)
        replace_file(_beside(folder), sealed.model_dump_json(), flush=True)
        return self._open(sealed)

    def _open(self, sealed: _Sealed) -> Pool:
        here = self._layout.root / sealed.segment.folder
        return Pool(
            factory.open_store(
                sealed.store, here, sealed.segment.store, dim=sealed.dim, searched=False
            ),
            factory.open_catalog(sealed.catalog, here, sealed.segment.catalog),
        )

    def _folders(self) -> Iterator[Path]:
        return (path for path in list(self._folder.glob("*")) if path.name.isdigit())


def sealed_segments(layout: ArchiveLayout) -> Iterator[Segment]:
    """All that builds have left in an archive's ``work/``, of whatever encoder."""
    for path in layout.work.glob("*/segments/*.json"):
        try:
            yield _Sealed.model_validate_json(path.read_bytes()).segment
        except (OSError, ValidationError):
            continue


def _beside(folder: Path) -> Path:
    return folder.with_suffix(".json")
