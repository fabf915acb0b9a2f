"""An archive of an earlier program, as this one writes it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from coin_retrieval import __version__, factory
from coin_retrieval.archive import Archive, ArchiveLayout, ArchiveManifest
from coin_retrieval.archive.layout import MANIFEST
from coin_retrieval.archive.lock import building
from coin_retrieval.archive.manifest import (
    check_seals,
    read_manifest,
    write_manifest,
    written_schema,
)
from coin_retrieval.archive.publish import next_version, publish, staging
from coin_retrieval.errors import ArchiveError
from coin_retrieval.types import ImageId
from indexer.neighbours import measure_neighbours, real_mean
from indexer.records import Records


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

    Nothing is embedded, and pictures need not be there: vectors and records are copied as they are,
    and what earlier programs did not measure of them is measured. The version before stays as it
    is. An upgrade that is stopped, by whatever, has changed nothing; the next one begins anew.

    Raises:
        NotFoundError: no archive there.
        ArchiveBusyError: another process builds it.
        ArchiveCorruptError: a checksum does not hold.
        ArchiveSchemaError: a newer program wrote it.
        ArchiveError: the disk is full, or may not be written.
    """
    layout = ArchiveLayout(root)
    layout.published()
    try:
        with building(layout):
            folder = layout.published()
            from_schema = written_schema(folder / MANIFEST)
            before = read_manifest(folder / MANIFEST)
            if from_schema == before.schema_version and before.real_mean is not None:
                return UpgradeReport(before, from_schema, upgraded=False)
            check_seals(folder, before)
            with factory.open_archive(root) as archive:
                return UpgradeReport(_publish(layout, folder, archive), from_schema, upgraded=True)
    except OSError as error:
        raise ArchiveError(
            f"the archive cannot be upgraded ({error.strerror or error})",
            value=str(error.filename or root),
            expected="a writable folder with space for another version",
            remedy="make space, or change its permissions; the version before is as it was",
        ) from error


def _publish(layout: ArchiveLayout, folder: Path, archive: Archive) -> ArchiveManifest:
    version = next_version(layout)
    records = _records(archive)
    neighbours = measure_neighbours(archive.store, records)
    manifest = archive.manifest.model_copy(
        update={
            "version": version,
            "program": f"coin-retrieval {__version__}",
            "created_at": datetime.now(UTC),
            "real_mean": real_mean(archive.store, records),
            "own_neighbours": neighbours.close_match,
            "similarity_scale": neighbours.scale,
        }
    )
    with staging(layout, version) as staged:
        for name in manifest.files:
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / name, staged / name)
        write_manifest(manifest, staged / MANIFEST)
        publish(layout, staged, version)
    return manifest


def _records(archive: Archive) -> Records:
    ids = (ImageId(i) for i in archive.catalog.select({}).tolist())
    images = archive.catalog.images(ids)
    cases = archive.catalog.cases({image.case_id for image in images.values()})
    return Records(cases=cases, images=images)
