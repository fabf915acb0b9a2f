"""An archive of an earlier program, as this one writes it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from coin_retrieval.archive import ArchiveManifest
from coin_retrieval.archive.layout import MANIFEST
from coin_retrieval.archive.manifest import read_manifest, written_schema
from coin_retrieval.archive.opening import open_layout
from coin_retrieval.wordings.known import known_digest
from indexer.changing import changing, clean_up
from indexer.removing import opened
from indexer.versions.without import publish_without


@dataclass(frozen=True, slots=True)
class UpgradeReport:
    """The manifest as it is now, and the schema that it was written in before.

    ``upgraded`` is false where there was nothing to do.
    """

    manifest: ArchiveManifest
    from_schema: int
    upgraded: bool


def upgrade(root: Path) -> UpgradeReport:
    """Write the published version again as the next one, in the present schema.

    So is one that is judged by reports which the program does not know any more.

    Nothing is embedded, and pictures need not be there: vectors and records of segments that this
    program would write otherwise are copied as they are, and what earlier programs did not measure
    of them is measured. The version before stays as it is. An upgrade that is stopped, by whatever,
    has changed nothing; the next one begins anew.

    Raises:
        NotFoundError: no archive there.
        ArchiveBusyError: another process builds it.
        ArchiveCorruptError: a checksum does not hold.
        ArchiveSchemaError: a newer program wrote it.
        ArchiveError: the disk is full, or may not be written.
    """
    open_layout(root).published()
    with changing(root) as layout:
        path = layout.published() / MANIFEST
        from_schema, manifest = written_schema(path), read_manifest(path)
        known = manifest.closeness.known if manifest.closeness else known_digest()
        if known == known_digest() and not any(s.dated for s in manifest.segments):
            return UpgradeReport(manifest, from_schema, upgraded=False)
        with opened(layout, thorough=True) as before:
            none = [np.zeros_like(segment.alive) for segment in before.segments]
            dated = [s.entry.folder for s in before.segments if s.entry.dated]
            manifest = publish_without(layout, before, none, set(), command="upgrade", always=dated)
        clean_up(layout, sweep=False)
    return UpgradeReport(manifest, from_schema, upgraded=True)
