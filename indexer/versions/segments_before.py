"""What an archive holds before a change: segments that can be kept, and all that is embedded."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from coin_retrieval import factory
from coin_retrieval.archive import ArchiveLayout, ArchiveManifest
from coin_retrieval.archive.layout import MANIFEST
from coin_retrieval.archive.manifest import Segment, check_seal, read_manifest
from coin_retrieval.archive.publish import version_folders
from coin_retrieval.archive.segments import alive_rows
from coin_retrieval.catalog.base import Catalog
from coin_retrieval.catalog.joined import JoinedCatalog
from coin_retrieval.config import CatalogSettings, StoreSettings
from coin_retrieval.errors import ArchiveCorruptError, ArchiveError
from coin_retrieval.files import Closing
from coin_retrieval.stores.base import VectorStore
from coin_retrieval.types import EncoderSpec, RowMask
from indexer.embedding.contents import Pool


@dataclass(slots=True)
class SegmentBefore:
    """A segment of the version before, and what becomes of its rows.

    ``alive`` are its rows in that version; ``seen`` those that the change named and leaves as they
    are, ``replaced`` those of which it has another record. If it is not ``keepable``, all are.
    """

    entry: Segment
    store: VectorStore
    catalog: Catalog
    alive: RowMask
    seen: RowMask = field(init=False)
    replaced: RowMask = field(init=False)
    keepable: bool = True

    def __post_init__(self) -> None:
        self.seen = np.zeros_like(self.alive)
        self.replaced = np.zeros_like(self.alive)

    @property
    def rows(self) -> int:
        """How many are alive."""
        return int(np.count_nonzero(self.alive))

    def close(self) -> None:
        """Release its files."""
        self.store.close()
        self.catalog.close()


class ArchiveBefore(Closing):
    """The version before a change, as far as it is whole.

    ``segments`` are those of the version that can be read, ``spoilt`` says of the others why not.
    """

    def __init__(
        self, layout: ArchiveLayout, manifest: ArchiveManifest | None, *, thorough: bool
    ) -> None:
        self.manifest = manifest
        self.segments: list[SegmentBefore] = []
        self.spoilt: list[str] = []
        if manifest is None:
            self.catalog: Catalog = JoinedCatalog(())
            return
        folder = layout.version(manifest.version)
        for entry in manifest.segments:
            try:
                check_files(layout, entry, thorough=thorough)
                alive = alive_rows(folder, entry)
                store, catalog = open_segment(layout, manifest, entry, alive)
            except ArchiveCorruptError as error:
                self.spoilt.append(f"{entry.folder} cannot be used, nothing of it is: {error}")
                continue
            living = np.ones(entry.rows, np.bool_) if alive is None else alive
            self.segments.append(SegmentBefore(entry, store, catalog, living))
        self.catalog = JoinedCatalog([segment.catalog for segment in self.segments])

    @property
    def images(self) -> int:
        """How many images it holds."""
        return sum(segment.rows for segment in self.segments)

    def keep_only(
        self, encoder: EncoderSpec, store: StoreSettings, catalog: CatalogSettings
    ) -> None:
        """Keep only segments that this encoder and these settings would write alike."""
        was = self.manifest
        alike = was is not None and (was.encoder, was.store, was.catalog) == (
            encoder,
            store,
            catalog,
        )
        for segment in self.segments:
            segment.keepable = alike and not segment.entry.earlier

    def close(self) -> None:
        """Release all files."""
        for segment in self.segments:
            segment.close()


def open_before(layout: ArchiveLayout, *, thorough: bool, warnings: list[str]) -> ArchiveBefore:
    """The published version; an empty one, if there is none or it cannot be read.

    Args:
        thorough: check the digest of every file, not only their sizes.
        warnings: told what cannot be read.

    Raises:
        ArchiveSchemaError: a newer program wrote it.
    """
    manifest = None
    if layout.current_name() is not None:
        try:
            manifest = read_manifest(layout.published() / MANIFEST)
        except ArchiveCorruptError as error:
            warnings.append(f"the version before cannot be read, nothing is reused: {error}")
    before = ArchiveBefore(layout, manifest, thorough=thorough)
    warnings += before.spoilt
    return before


def open_pools(layout: ArchiveLayout, encoder: EncoderSpec, *, thorough: bool) -> list[Pool]:
    """Every segment that this encoder embedded, in any version; what is spoilt is left out."""
    pools: dict[str, Pool] = {}
    for version in sorted(version_folders(layout), reverse=True):
        try:
            manifest = read_manifest(version / MANIFEST)
        except ArchiveError:
            continue
        for entry in manifest.segments if manifest.encoder == encoder else ():
            if entry.folder not in pools:
                try:
                    check_files(layout, entry, thorough=thorough)
                    pools[entry.folder] = Pool(*open_segment(layout, manifest, entry, None))
                except ArchiveCorruptError:
                    continue
    return list(pools.values())


def open_segment(
    layout: ArchiveLayout,
    manifest: ArchiveManifest,
    entry: Segment,
    alive: RowMask | None,
    *,
    searched: bool = False,
) -> tuple[VectorStore, Catalog]:
    """A segment's vectors and records.

    Args:
        searched: whether its vectors will be searched, a few times; else it is asked for ids and
            contents, again and again.

    Raises:
        ArchiveCorruptError: they cannot be read.
    """
    here = layout.root / entry.folder
    store = factory.open_store(
        manifest.store,
        here,
        entry.store,
        dim=manifest.encoder.dim,
        alive=alive,
        searched=searched,
    )
    order = store.ids() if entry.earlier else None
    catalog = factory.open_catalog(
        manifest.catalog, here, entry.catalog, alive=alive, row_order=order, held=not searched
    )
    return store, catalog


def check_files(layout: ArchiveLayout, entry: Segment, *, thorough: bool) -> None:
    """Sizes, and if ``thorough`` digests, of a segment's files.

    Raises:
        ArchiveCorruptError: one is not as it was published.
    """
    for name, sealed in entry.files.items():
        path = layout.root / entry.folder / name
        if thorough or name in entry.store.parsed:
            check_seal(path, sealed)
        elif not path.is_file() or path.stat().st_size != sealed.size_bytes:
            raise ArchiveCorruptError(f"{path} is not as it was published")
